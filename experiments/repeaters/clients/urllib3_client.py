"""urllib3 with its default: three retries of methods that are idempotent. With `statuses`, also after 5xx and 429."""
import sys

import urllib3

retries = None
if sys.argv[1] == "statuses":
    retries = urllib3.Retry(3, status_forcelist=[429, 500, 502, 503, 504])
for line in sys.stdin:
    prime, method, path, key, body = line.split()
    pool = urllib3.PoolManager(timeout=20.0 if retries else 1.0)
    headers = {} if key == "-" else {"Idempotency-Key": f'"{key}"'}
    try:
        if prime != "-":
            pool.request("GET", sys.argv[-1] + prime)
        pool.request(method, sys.argv[-1] + path, body=None if body == "-" else body, headers=headers, retries=retries)
    except urllib3.exceptions.HTTPError as error:
        print(path, repr(error))
    pool.clear()
