"""aiohttp as it comes, or with aiohttp-retry as it comes."""
import asyncio
import sys

import aiohttp
import aiohttp_retry


async def tried(line):
    prime, method, path, key, body = line.split()
    headers = {} if key == "-" else {"Idempotency-Key": f'"{key}"'}
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=1)) as session:
        client = aiohttp_retry.RetryClient(session) if sys.argv[1] == "retry" else session
        try:
            if prime != "-":
                async with client.get(sys.argv[2] + prime) as answer:
                    await answer.read()
            data = None if body == "-" else body
            async with client.request(method, sys.argv[2] + path, data=data, headers=headers) as answer:
                await answer.read()
        except (aiohttp.ClientError, TimeoutError, asyncio.TimeoutError) as error:
            print(path, repr(error))


for each in sys.stdin:
    asyncio.run(tried(each))
