"""httpx as it comes."""
import sys

import httpx

for line in sys.stdin:
    prime, method, path, key, body = line.split()
    with httpx.Client(timeout=1) as client:
        headers = {} if key == "-" else {"Idempotency-Key": f'"{key}"'}
        try:
            if prime != "-":
                client.get(sys.argv[1] + prime)
            client.request(method, sys.argv[1] + path, content=None if body == "-" else body, headers=headers)
        except httpx.HTTPError as error:
            print(path, repr(error))
