// Node's own fetch. Its pool is the process's; a lost reply empties it.
import { createInterface } from "node:readline";
import { setTimeout } from "node:timers/promises";

const base = process.argv[2];
for await (const line of createInterface({ input: process.stdin })) {
    const [prime, method, path, key, body] = line.split(" ");
    const headers = key === "-" ? {} : { "Idempotency-Key": `"${key}"` };
    try {
        // The connection takes a moment to be idle again.
        if (prime !== "-") await (await fetch(base + prime)).text().then(() => setTimeout(20));
        const signal = AbortSignal.timeout(1000);
        await (await fetch(base + path, { method, headers, signal, body: body === "-" ? undefined : body })).text();
    } catch (error) {
        console.log(path, String(error.cause ?? error));
    }
}
