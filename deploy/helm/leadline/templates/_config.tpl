{{/*
What stands in leadline.toml: the operator's `config`, and the sections that the chart owns. One file for all processes; each reads
its own sections, and no secret but its own. Secrets never stand here: a key `…_file` names the file that _pod.tpl mounts.
*/}}

{{/* Fills a map with the whole configuration. Takes root, into. */}}
{{- define "leadline.config" -}}
{{- $values := .root.Values -}}
{{- include "leadline.overlay" (dict "base" .into "over" (deepCopy $values.config)) -}}
{{- include "leadline.configKafka" (dict "values" $values "into" .into) -}}
{{- $_ := set .into "admin" (dict "listen" "0.0.0.0:9090") -}}
{{- $_ := set .into "log" (mergeOverwrite (dict "format" "json") (.into.log | default dict)) -}}
{{- $_ := set .into "topics" (deepCopy $values.topics) -}}
{{- if $values.endpoints -}}
{{- $_ := set .into "endpoints" (deepCopy $values.endpoints) -}}
{{- end -}}
{{- include "leadline.configIngest" (dict "values" $values "into" .into) -}}
{{- include "leadline.configSinks" (dict "values" $values "into" .into) -}}
{{- include "leadline.wholeNumbers" .into -}}
{{- end -}}

{{/*
Makes whole numbers of a map whole. Helm reads every number as a float, and toToml would write `partitions = 12.0` and
`limit = 2.68435456e+08`, which the product refuses. Takes the map.
*/}}
{{- define "leadline.wholeNumbers" -}}
{{- $map := . -}}
{{- range $key, $value := $map -}}
{{- if kindIs "map" $value -}}
{{- include "leadline.wholeNumbers" $value -}}
{{- else if kindIs "slice" $value -}}
{{- $whole := dict -}}
{{- range $index, $one := $value -}}
{{- $_ := set $whole (toString $index) $one -}}
{{- end -}}
{{- include "leadline.wholeNumbers" $whole -}}
{{- $list := list -}}
{{- range $index, $_ := $value -}}
{{- $list = append $list (get $whole (toString $index)) -}}
{{- end -}}
{{- $_ := set $map $key $list -}}
{{- else if kindIs "float64" $value -}}
{{- if eq (floor $value) $value -}}
{{- $_ := set $map $key (int64 $value) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* `kafka.sasl.username` differs from component to component and comes by the environment. */}}
{{- define "leadline.configKafka" -}}
{{- $kafka := dict "bootstrap" .values.kafka.bootstrap -}}
{{- $tls := dict "enabled" .values.kafka.tls.enabled -}}
{{- if .values.kafka.tls.ca.existingSecret -}}
{{- $_ := set $tls "ca_file" "/run/secrets/kafka/ca.crt" -}}
{{- end -}}
{{- if .values.kafka.tls.clientCertificate.enabled -}}
{{- $_ := set $tls "certificate_file" "/run/secrets/kafka/tls.crt" -}}
{{- $_ := set $tls "key_file" "/run/secrets/kafka/tls.key" -}}
{{- end -}}
{{- $sasl := dict "mechanism" .values.kafka.sasl.mechanism -}}
{{- if ne .values.kafka.sasl.mechanism "none" -}}
{{- $_ := set $sasl "password_file" "/run/secrets/kafka/password" -}}
{{- end -}}
{{- $_ := set $kafka "tls" $tls -}}
{{- $_ := set $kafka "sasl" $sasl -}}
{{- $_ := set .into "kafka" $kafka -}}
{{- end -}}

{{- define "leadline.configIngest" -}}
{{- $ingest := .into.ingest | default dict -}}
{{- $_ := set $ingest "listen" "0.0.0.0:8080" -}}
{{- $_ := set $ingest "person_key_file" "/run/secrets/ingest/person-key" -}}
{{- if .values.ingest.tls.existingSecret -}}
{{- $_ := set $ingest "tls" (dict "certificate_file" "/run/secrets/tls/tls.crt" "key_file" "/run/secrets/tls/tls.key") -}}
{{- end -}}
{{- $spool := $ingest.spool | default dict -}}
{{- $_ := set $spool "folder" (ternary "/var/lib/leadline/spool" "" .values.ingest.spool.enabled) -}}
{{- $_ := set $ingest "spool" $spool -}}
{{- $_ := set .into "ingest" $ingest -}}
{{- end -}}

{{- define "leadline.configSinks" -}}
{{- $sinks := dict -}}
{{- range $name, $worker := .values.workers -}}
{{- $sink := deepCopy ($worker.config | default dict) -}}
{{- $_ := set $sink "kind" $worker.kind -}}
{{- range $key, $_ := $worker.secrets -}}
{{- include "leadline.setPath" (dict "into" $sink "path" (splitList "." $key) "value" (printf "/run/secrets/sink/%s" $key)) -}}
{{- end -}}
{{- $_ := set $sinks $name $sink -}}
{{- end -}}
{{- if $sinks -}}
{{- $_ := set .into "sinks" $sinks -}}
{{- end -}}
{{- end -}}

{{/* Sets `a.b_file` in a map for the path a, b. Takes into, path, value. */}}
{{- define "leadline.setPath" -}}
{{- $first := first .path -}}
{{- if eq (len .path) 1 -}}
{{- $_ := set .into (printf "%s_file" $first) .value -}}
{{- else -}}
{{- if not (hasKey .into $first) -}}
{{- $_ := set .into $first dict -}}
{{- end -}}
{{- include "leadline.setPath" (dict "into" (get .into $first) "path" (rest .path) "value" .value) -}}
{{- end -}}
{{- end -}}

{{/*
The checksum of what a component reads at its start only; a change of it must restart the pods, and nothing else should.
- Ingest takes over [endpoints] while it runs, and has no use for workers' sections.
- A worker reads [endpoints] at its start. Sections of other sinks are none of its business: one more sink restarts nobody.
- Secrets never count: the chart knows their names only. README.md says what to do after a change of one.
Takes root, component.
*/}}
{{- define "leadline.configChecksum" -}}
{{- $config := dict -}}
{{- include "leadline.config" (dict "root" .root "into" $config) -}}
{{- if eq .component "ingest" -}}
{{- $config = omit $config "endpoints" "sinks" "worker" -}}
{{- toJson $config | sha256sum -}}
{{- else -}}
{{- $config = set (omit $config "ingest") "sinks" (pick $config.sinks .component) -}}
{{- printf "%s%s" (toJson $config) .root.Values.endpointsToml | sha256sum -}}
{{- end -}}
{{- end -}}
