# curl with these options; the last argument is where to.
options=("${@:1:$#-1}") base=${!#}
while read -r prime method path key body; do
    request=(--silent --show-error --max-time 1 "${options[@]}" --request "$method")
    [ "$key" = - ] || request+=(--header "Idempotency-Key: \"$key\"")
    [ "$body" = - ] || request+=(--data "$body")
    # `--output /dev/null` would keep curl from retrying once a body has come.
    first=()
    [ "$prime" = - ] || first=(--silent "$base$prime" --next)
    curl "${first[@]}" "${request[@]}" "$base$path"
done
