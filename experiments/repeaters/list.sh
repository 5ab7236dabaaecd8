# The repeaters: for each a function `is_NAME` (with _ for -) that sets title and version, and makes the tries. If one
# cannot be had, `left_out` has said why, and the function fails. `run` reads this file.

# In the order of the table.
all=(curl curl-retry curl-retry-all chromium go urllib3 urllib3-debian requests requests-all httpx aiohttp aiohttp-retry
    node-fetch axios axios-retry java-httpclient java-urlconnection okhttp apache-httpclient reqwest hyper-util
    nginx nginx-keepalive nginx-non-idempotent haproxy haproxy-retry haproxy-retry-not-post httpd varnish
    squid squid-two chain-curl-haproxy chain-urllib3-haproxy-retry chain-axios-retry-haproxy-retry)

# curl

curls() {
    needs curl curl || return
    version="curl $(curl --version | awk 'NR == 1 { print $2 }')${behind-}"
    with bash "$clients/curl.sh" "$@"
}
is_curl() { title=curl && curls; }
is_curl_retry() { title="curl --retry 1" && curls --retry 1; }
is_curl_retry_all() { title="curl --retry 1 --retry-all-errors" && curls --retry 1 --retry-all-errors; }

# Browsers

is_chromium() {
    title="Chromium, fetch"
    needs chromium chromium || return
    version=$(chromium --version 2>/dev/null | awk '{ print $1, $2 }')
    beside=2 with bash "$clients/chromium.sh"
}

# Go

is_go() {
    title="Go net/http"
    needs go golang-go || return
    go build -o "$packages/go-client" "$clients/go/main.go" 2>"$scratch/go.log" ||
        { left_out "go: $(tail -n 1 "$scratch/go.log")"; return; }
    version=$(go version | awk '{ print $3 }')
    with "$packages/go-client"
}

# Python

urllib3s() {
    version="urllib3 $("$python" -c 'import urllib3; print(urllib3.__version__)')${behind-}"
    with "$python" "$clients/urllib3_client.py" "$@"
}
debian_urllib3() {
    python=/usr/bin/python3
    "$python" -c 'import urllib3' 2>/dev/null || needs urllib3 python3-urllib3
}
is_urllib3() { title="Python urllib3" && pypi urllib3==2.7.0 && urllib3s; }
is_urllib3_debian() { title="Python urllib3, Debian's" && debian_urllib3 && urllib3s; }
requests() { pypi requests==2.34.2 && version="requests 2.34.2" && with "$python" "$clients/requests_client.py" "$@"; }
is_requests() { title="Python requests" && requests default; }
is_requests_all() { title="requests, Retry(3, allowed_methods=None)" && requests all; }
is_httpx() {
    title="Python httpx" version="httpx 0.28.1"
    pypi httpx==0.28.1 && with "$python" "$clients/httpx_client.py"
}
aiohttp() { pypi aiohttp==3.14.3 aiohttp-retry==2.9.1 && with "$python" "$clients/aiohttp_client.py" "$@"; }
is_aiohttp() { title="Python aiohttp" version="aiohttp 3.14.3" && aiohttp plain; }
is_aiohttp_retry() { title="aiohttp-retry" version="aiohttp-retry 2.9.1, aiohttp 3.14.3" && aiohttp retry; }

# Node

is_node_fetch() {
    title="Node fetch"
    needs node nodejs && version="Node $(node --version)" && with node "$clients/node/fetch.mjs"
}
is_axios() { title=axios version="axios 1.20.0" && npm_packages && with node "$packages/node/axios.mjs"; }
is_axios_retry() {
    title="axios-retry" version="axios-retry 4.5.0, axios 1.20.0${behind-}"
    npm_packages && with node "$packages/node/axios.mjs" retry
}

# Java

javas() {
    needs javac openjdk-17-jdk-headless || return
    version="Java $(java -version 2>&1 | awk -F '"' 'NR == 1 { print $2 }')"
    beside=4 with java "$clients/java/$1"
}
is_java_httpclient() { title="Java HttpClient" && javas JavaHttpClient.java; }
is_java_urlconnection() { title="Java HttpURLConnection" && javas UrlConnection.java; }
with_jars() { jars && beside=4 with java -cp "$packages/java/*" "$clients/java/$1"; }
is_okhttp() { title=OkHttp version="OkHttp 4.12.0" && with_jars OkHttp.java; }
is_apache_httpclient() { title="Apache HttpClient" version="HttpClient 5.4.4" && with_jars ApacheHttpClient.java; }

# Rust

rusts() { crates && with "$packages/rust/target/release/client" "$1"; }
is_reqwest() { title="Rust reqwest" version="reqwest 0.12.28" && rusts reqwest; }
is_hyper_util() { title="Rust hyper-util" version="hyper-util 0.1.21" && rusts hyper-util; }

# Proxies. The client before them sends each request once.

plain() { with python3 "$clients/plain.py"; }

start_nginx() {
    needs nginx nginx && version="nginx $(version_of nginx)" &&
        proxy nginx.conf "$@" -- nginx -e stderr -c @FILE@ && plain
}
second_upstream() { echo "SECOND=server ${origin#http://} max_fails=0;"; }
keepalive="KEEPALIVE=keepalive 8;"
is_nginx() { title="nginx, two upstreams" && start_nginx "$(second_upstream)"; }
is_nginx_keepalive() { title="nginx, one upstream, keepalive" && start_nginx "$keepalive"; }
is_nginx_non_idempotent() {
    title="nginx, two upstreams, keepalive, non_idempotent"
    start_nginx "$(second_upstream)" "$keepalive" \
        "NEXT=proxy_next_upstream error timeout http_500 http_502 http_503 http_504 http_429 non_idempotent;"
}

start_haproxy() {
    needs haproxy haproxy && version="HAProxy $(version_of haproxy)" && behind=", $version" &&
        proxy haproxy.cfg "$@" -- haproxy -db -f @FILE@
}
all_retryable="RETRY=retry-on all-retryable-errors"
is_haproxy() { title=HAProxy && start_haproxy && plain; }
is_haproxy_retry() { title="HAProxy, retry-on all-retryable-errors" && start_haproxy "$all_retryable" && plain; }
is_haproxy_retry_not_post() {
    title="HAProxy, retry-on …, disable-l7-retry if METH_POST"
    start_haproxy "$all_retryable" "NOT=http-request disable-l7-retry if METH_POST" && plain
}

is_httpd() {
    title="httpd balancer, two members"
    needs apache2 apache2 && version="httpd $(version_of apache2)" &&
        proxy httpd.conf -- apache2 -DFOREGROUND -f @FILE@ && plain
}

is_varnish() {
    title=Varnish
    needs varnishd varnish && version="Varnish $(version_of varnish)" &&
        proxy varnish.vcl -- varnishd -F -j none -f @FILE@ -a 127.0.0.1:@PORT@ -n "$work/varnish" -s malloc,16m && plain
}

start_squid() {
    needs squid squid && version="Squid $(version_of squid)" && proxy squid.conf "$@" -- squid -N -f @FILE@ && plain
}
is_squid() { title="Squid, one origin" && start_squid; }
is_squid_two() {
    title="Squid, two origins"
    start_squid "SECOND=cache_peer 127.0.0.1 parent ${origin##*:} 0 no-query originserver round-robin name=b"
}

# Chains: a client that repeats, through a proxy that may repeat too.

is_chain_curl_haproxy() { start_haproxy && curls && title="curl → HAProxy"; }
is_chain_urllib3_haproxy_retry() {
    # urllib3 sends a body apart from its head. HAProxy repeats only what it has in its buffer, so it is told to wait.
    title="urllib3, Retry(3) also by status → HAProxy, retry-on …, http-buffer-request"
    debian_urllib3 && start_haproxy "$all_retryable" "WAIT=option http-buffer-request" && urllib3s statuses
}
is_chain_axios_retry_haproxy_retry() {
    start_haproxy "$all_retryable" && is_axios_retry && title="axios-retry → HAProxy, retry-on …"
}
