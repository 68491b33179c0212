{{/*
What the schema cannot see: values that are good one by one and not together. Each stops the rendering with one sentence that names
the value. Types, names and choices belong in values.schema.json.
*/}}

{{- define "leadline.guards" -}}
{{- include "leadline.guardImage" . -}}
{{- include "leadline.guardKafka" . -}}
{{- include "leadline.guardIngest" . -}}
{{- include "leadline.guardExposure" . -}}
{{- include "leadline.guardRoutes" . -}}
{{- include "leadline.guardDeadlines" . -}}
{{- range $name, $worker := .Values.workers -}}
{{- $settings := deepCopy $.Values.workerDefaults -}}
{{- include "leadline.overlay" (dict "base" $settings "over" $worker) -}}
{{- include "leadline.guardWorker" (dict "root" $ "name" $name "settings" $settings) -}}
{{- end -}}
{{- end -}}

{{- define "leadline.guardImage" -}}
{{- if not (or .Values.image.digest .Values.image.tag) -}}
{{- fail "image: set image.digest, or at least image.tag." -}}
{{- end -}}
{{- end -}}

{{- define "leadline.guardKafka" -}}
{{- $kafka := .Values.kafka -}}
{{- if not $kafka.bootstrap -}}
{{- fail "kafka.bootstrap: name at least one broker as host:port." -}}
{{- end -}}
{{- if and (eq $kafka.sasl.mechanism "PLAIN") (not $kafka.tls.enabled) -}}
{{- fail "kafka.sasl.mechanism: PLAIN sends the password as it is; set kafka.tls.enabled, or use SCRAM-SHA-512." -}}
{{- end -}}
{{- if and $kafka.tls.clientCertificate.enabled (not $kafka.tls.enabled) -}}
{{- fail "kafka.tls.clientCertificate: it needs kafka.tls.enabled." -}}
{{- end -}}
{{- $components := dict "ingest" .Values.ingest -}}
{{- range $name, $worker := .Values.workers -}}
{{- $settings := deepCopy $.Values.workerDefaults -}}
{{- include "leadline.overlay" (dict "base" $settings "over" $worker) -}}
{{- $_ := set $components $name $settings -}}
{{- end -}}
{{- range $name, $settings := $components -}}
{{- $path := ternary "ingest" (printf "workers.%s" $name) (eq $name "ingest") -}}
{{- include "leadline.guardKafkaUser" (dict "root" $ "component" $name "path" $path "settings" $settings) -}}
{{- end -}}
{{- if .Values.test.endpoint.existingSecret -}}
{{- include "leadline.guardKafkaUser" (dict "root" . "component" "operator" "path" "test" "settings" .Values.test) -}}
{{- $users := .Values.kafkaResources.users -}}
{{- if and $users.enabled (not $users.operator) (not .Values.test.kafka.existingSecret) (not $kafka.existingSecret) -}}
{{- fail "kafkaResources.users.operator: helm test needs that user, or test.kafka.existingSecret." -}}
{{- end -}}
{{- end -}}
{{- if gt (int .Values.topics.min_insync_replicas) (int .Values.topics.replication) -}}
{{- fail "topics.min_insync_replicas: it must not be above topics.replication, or nothing can be written." -}}
{{- end -}}
{{- end -}}

{{- define "leadline.guardKafkaUser" -}}
{{- $kafka := .root.Values.kafka -}}
{{- $sasl := ne $kafka.sasl.mechanism "none" -}}
{{- if and (or $sasl $kafka.tls.clientCertificate.enabled) (not (include "leadline.kafkaSecret" .)) -}}
{{- fail (printf "%s.kafka.existingSecret: name the Secret with its Kafka credentials, or set kafka.existingSecret for all." .path) -}}
{{- end -}}
{{- if and $sasl (not (include "leadline.kafkaUsername" .)) -}}
{{- fail (printf "%s.kafka.username: name its Kafka user, or set kafka.sasl.username for all." .path) -}}
{{- end -}}
{{- end -}}

{{- define "leadline.guardIngest" -}}
{{- $ingest := .Values.ingest -}}
{{- $spool := $ingest.spool -}}
{{- if not $ingest.personKey.existingSecret -}}
{{- fail "ingest.personKey.existingSecret: name the Secret with the person key, made once and never changed." -}}
{{- end -}}
{{- $several := or $ingest.hpa.enabled (gt (int $ingest.replicas) 1) -}}
{{- if and $several $spool.enabled $spool.existingClaim -}}
{{- fail "ingest.spool.existingClaim: a spool belongs to one process; leave it out for a volume each, or set ingest.replicas to 1 and ingest.hpa.enabled to false." -}}
{{- end -}}
{{- if and $ingest.hpa.enabled (gt (int $ingest.hpa.minReplicas) (int $ingest.hpa.maxReplicas)) -}}
{{- fail "ingest.hpa: minReplicas is above maxReplicas." -}}
{{- end -}}
{{- if $spool.drain -}}
{{- if or (not $spool.enabled) $spool.existingClaim -}}
{{- fail "ingest.spool.drain: it names volumes that the StatefulSet made, so ingest.spool.enabled must be on and existingClaim empty." -}}
{{- end -}}
{{- $used := ternary $ingest.hpa.minReplicas $ingest.replicas $ingest.hpa.enabled | int -}}
{{- range $spool.drain -}}
{{- if lt (int .) $used -}}
{{- fail (printf "ingest.spool.drain: the volume %d belongs to a running ingest, which drains it itself." (int .)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and $spool.enabled (not $spool.existingClaim) -}}
{{- $limit := int64 (dig "spool" "limit" 268435456 (.Values.config.ingest | default dict)) -}}
{{- $units := dict "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 -}}
{{- $bytes := mul (regexFind "^[0-9]+" $spool.size | int64) (get $units (regexFind "[A-Za-z]+$" $spool.size)) -}}
{{- if lt $bytes (mul 2 $limit) -}}
{{- fail (printf "ingest.spool.size: %s is too small; the file may take twice config.ingest.spool.limit, %d bytes." $spool.size (mul 2 $limit)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "leadline.guardExposure" -}}
{{- $routed := .Values.httpRoute -}}
{{- if and $routed.enabled (or (not $routed.parentRefs) (not $routed.hostnames)) -}}
{{- fail "httpRoute: name the Gateway in httpRoute.parentRefs and the host in httpRoute.hostnames." -}}
{{- end -}}
{{- if and .Values.ingress.enabled (or (not .Values.ingress.hosts) (not .Values.ingress.className) (not .Values.ingress.tlsSecret)) -}}
{{- fail "ingress: set ingress.className, ingress.hosts and ingress.tlsSecret." -}}
{{- end -}}
{{- if and .Values.externalSecrets.enabled (not .Values.externalSecrets.store.name) -}}
{{- fail "externalSecrets.store.name: name the store." -}}
{{- end -}}
{{- if and .Values.kafkaResources.users.enabled .Values.kafka.tls.clientCertificate.enabled (ne .Values.kafkaResources.users.authentication "tls") -}}
{{- fail "kafkaResources.users.authentication: kafka.tls.clientCertificate needs users of the kind tls." -}}
{{- end -}}
{{- end -}}

{{/* Leads for a sink that does not exist would reach nobody; ingest and the workers refuse it at their start. */}}
{{- define "leadline.guardRoutes" -}}
{{- range $name, $endpoint := .Values.endpoints -}}
{{- range $endpoint.sinks -}}
{{- if not (hasKey $.Values.workers .) -}}
{{- fail (printf "endpoints.%s.sinks: there is no sink %s among the workers." $name .) -}}
{{- end -}}
{{- end -}}
{{- if and $endpoint.schema (not (hasKey $.Values.files $endpoint.schema)) -}}
{{- fail (printf "endpoints.%s.schema: there is no %s among the files." $name $endpoint.schema) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
Each half of a call must fit into a stop, as the workers themselves demand at their start: a lead whose call is cut off may be
delivered twice. The stop must end before Kubernetes kills the process, and a rebalance, in which the same drain runs, before Kafka
gives the partitions away.
*/}}
{{- define "leadline.guardDeadlines" -}}
{{- $config := .Values.config -}}
{{- $drain := include "leadline.seconds" (dict "key" "lifecycle.drain" "value" (dig "drain" "75s" ($config.lifecycle | default dict))) | int -}}
{{- range $key, $default := dict "call" "30s" "confirm" "60s" -}}
{{- $value := dig $key $default ($config.worker | default dict) -}}
{{- if ge (include "leadline.seconds" (dict "key" (printf "worker.%s" $key) "value" $value) | int) $drain -}}
{{- fail (printf "config.worker.%s: %s must be shorter than config.lifecycle.drain, %d s, or every stop would cut calls off." $key $value $drain) -}}
{{- end -}}
{{- end -}}
{{- if ge $drain 300 -}}
{{- fail (printf "config.lifecycle.drain: %d s must be shorter than 300 s, after which Kafka gives the partitions to another worker." $drain) -}}
{{- end -}}
{{- $ingest := .Values.ingest -}}
{{- $drains := ternary 2 1 $ingest.spool.enabled -}}
{{- $needed := add $ingest.preStopSleepSeconds (mul $drains $drain) 15 -}}
{{- if lt (int $ingest.terminationGracePeriodSeconds) (int $needed) -}}
{{- fail (printf "ingest.terminationGracePeriodSeconds: %d s is too short; a stop may take %d s: preStop, %d × lifecycle.drain, and 15 s for the last acknowledgements." (int $ingest.terminationGracePeriodSeconds) (int $needed) $drains) -}}
{{- end -}}
{{- range $name, $worker := .Values.workers -}}
{{- $grace := $worker.terminationGracePeriodSeconds | default $.Values.workerDefaults.terminationGracePeriodSeconds | int -}}
{{- if lt $grace (add $drain 15 | int) -}}
{{- fail (printf "workers.%s.terminationGracePeriodSeconds: %d s is too short; it must be 15 s above config.lifecycle.drain, %d s." $name $grace $drain) -}}
{{- end -}}
{{- if ge $grace 300 -}}
{{- fail (printf "workers.%s.terminationGracePeriodSeconds: %d s must be shorter than 300 s, after which Kafka gives the partitions to another worker." $name $grace) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "leadline.guardWorker" -}}
{{- $values := .root.Values -}}
{{- $settings := .settings -}}
{{- $path := printf "workers.%s" .name -}}
{{- $partitions := int $values.topics.partitions -}}
{{- if has .name (list "ingest" "operator" "keda" "test" "spool-drain") -}}
{{- fail (printf "%s: the name is taken by another component of the chart." $path) -}}
{{- end -}}
{{- $full := include "leadline.componentName" (dict "root" .root "component" .name) -}}
{{- if gt (len $full) 63 -}}
{{- fail (printf "%s: the name %s is longer than 63 characters; set a shorter fullnameOverride." $path $full) -}}
{{- end -}}
{{- if and $settings.hpa.enabled $settings.keda.enabled -}}
{{- fail (printf "%s: hpa and keda are both enabled, and they would fight; enable one." $path) -}}
{{- end -}}
{{- range $key := list "hpa" "keda" -}}
{{- $scaler := get $settings $key -}}
{{- if $scaler.enabled -}}
{{- if gt (int $scaler.maxReplicas) $partitions -}}
{{- fail (printf "%s.%s.maxReplicas: %d is more than the %d partitions, and the rest would stand idle." $path $key (int $scaler.maxReplicas) $partitions) -}}
{{- end -}}
{{- if gt (int $scaler.minReplicas) (int $scaler.maxReplicas) -}}
{{- fail (printf "%s.%s: minReplicas is above maxReplicas." $path $key) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if and (not $settings.hpa.enabled) (not $settings.keda.enabled) (gt (int $settings.replicas) $partitions) -}}
{{- fail (printf "%s.replicas: %d is more than the %d partitions, and the rest would stand idle." $path (int $settings.replicas) $partitions) -}}
{{- end -}}
{{- if and $settings.keda.enabled (eq $settings.keda.trigger "prometheus") (not $settings.keda.prometheus.serverAddress) -}}
{{- fail (printf "%s.keda.prometheus.serverAddress: name the Prometheus that KEDA asks." $path) -}}
{{- end -}}
{{- if and $settings.keda.enabled (eq $settings.keda.trigger "kafka") (not $settings.keda.kafka.authentication.existingSecret) (or (ne $values.kafka.sasl.mechanism "none") $values.kafka.tls.clientCertificate.enabled) -}}
{{- fail (printf "%s.keda.kafka.authentication.existingSecret: name the Secret by which KEDA comes to Kafka." $path) -}}
{{- end -}}
{{- range $key, $secret := $settings.secrets -}}
{{- if not $secret.existingSecret -}}
{{- fail (printf "%s.secrets.%s.existingSecret: name the Secret." $path $key) -}}
{{- end -}}
{{- end -}}
{{- $config := $settings.config | default dict -}}
{{- $secrets := $settings.secrets | default dict -}}
{{- if and (eq $settings.kind "email") (not $config.from) -}}
{{- fail (printf "%s.config.from: name the sender, such as \"Leadline <leads@your.domain>\"." $path) -}}
{{- end -}}
{{- if and (eq $settings.kind "email") (ne ($config.transport | default "smtp") "file") (not (dig "smtp" "host" "" $config)) -}}
{{- fail (printf "%s.config.smtp.host: name the mail server." $path) -}}
{{- end -}}
{{- if and (eq $settings.kind "email") (dig "smtp" "username" "" $config) (not (hasKey $secrets "smtp.password")) -}}
{{- fail (printf "%s.secrets: with config.smtp.username name the Secret of `smtp.password`." $path) -}}
{{- end -}}
{{- if and (eq $settings.kind "crm") (not (hasKey $secrets "sql.url")) (not (dig "sql" "url" "" $config)) -}}
{{- fail (printf "%s.secrets: name the Secret of `sql.url`, or set config.sql.url; the default is a file, which a pod does not keep." $path) -}}
{{- end -}}
{{- end -}}
