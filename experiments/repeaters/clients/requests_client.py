"""requests: as it comes, or with three retries of every method."""
import sys

import requests
from requests.adapters import HTTPAdapter
from urllib3 import Retry

for line in sys.stdin:
    prime, method, path, key, body = line.split()
    with requests.Session() as session:
        if sys.argv[1] == "all":
            retries = Retry(3, allowed_methods=None, status_forcelist=[429, 500, 502, 503, 504])
            session.mount("http://", HTTPAdapter(max_retries=retries))
        headers = {} if key == "-" else {"Idempotency-Key": f'"{key}"'}
        try:
            if prime != "-":
                session.get(sys.argv[2] + prime, timeout=1)
            session.request(method, sys.argv[2] + path, data=None if body == "-" else body, headers=headers, timeout=1)
        except requests.RequestException as error:
            print(path, repr(error))
