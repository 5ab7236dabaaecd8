# Chromium without a window opens a page that makes the tries, and ends when the page has told that it is done.
base=$1 folder=$(mktemp -d)
lines=$(cat)
{
    printf '<script>const base = "%s", lines = `%s`;</script>\n' "$base" "$lines"
    cat "$(dirname "$0")/chromium.html"
} >"$folder/page.html"
# The page is not the server's own, so the browser would ask the server first.
chromium --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-web-security --no-first-run \
    --user-data-dir="$folder/profile" "file://$folder/page.html#$$" &
browser=$!
for _ in $(seq 600); do
    curl --silent "$base/repeats" | grep -q "/ok/done-$$\"" && break
    kill -0 $browser 2>/dev/null || break
    sleep 0.2
done
kill $browser
wait $browser 2>/dev/null
rm -rf "$folder"
