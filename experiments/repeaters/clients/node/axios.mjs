// axios with a pool of its own for each try; with `retry`, axios-retry as it comes.
import { Agent } from "node:http";
import { createInterface } from "node:readline";
import axios from "axios";
import axiosRetry from "axios-retry";

const base = process.argv.at(-1);
const retries = process.argv[2] === "retry";
for await (const line of createInterface({ input: process.stdin })) {
    const [prime, method, url, key, body] = line.split(" ");
    const httpAgent = new Agent({ keepAlive: true });
    // A proxy on the way has time for its own tries, unless no answer is what is asked for.
    const timeout = retries && !url.startsWith("/no-answer") ? 20000 : 1000;
    const client = axios.create({ baseURL: base, timeout, httpAgent });
    if (retries) axiosRetry(client, { retries: 3, shouldResetTimeout: true });
    const headers = key === "-" ? {} : { "Idempotency-Key": `"${key}"` };
    try {
        if (prime !== "-") await client.get(prime);
        await client.request({ method, url, headers, data: body === "-" ? undefined : body });
    } catch (error) {
        console.log(url, error.message);
    }
    httpAgent.destroy();
}
