{{/*
Names, labels and the image: one place for each, so that all objects agree. What is mounted where belongs in _pod.tpl, what is
refused in _guards.tpl.
*/}}

{{- define "leadline.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Shorter than 63, so that the name of a component fits behind it; _guards.tpl refuses what is too long together. */}}
{{- define "leadline.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "leadline.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "leadline.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* The name of a component's objects. Takes root, component. */}}
{{- define "leadline.componentName" -}}
{{- printf "%s-%s" (include "leadline.fullname" .root) .component -}}
{{- end -}}

{{/* What a selector says. It can never be changed, so it holds nothing that does. Takes root, component. */}}
{{- define "leadline.selectorLabels" -}}
app.kubernetes.io/name: {{ include "leadline.name" .root }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* The labels of a pod: not the chart's version, as a change of that alone must restart nobody. Takes root, component. */}}
{{- define "leadline.podLabels" -}}
{{ include "leadline.selectorLabels" . }}
app.kubernetes.io/part-of: leadline
{{- $worker := get .root.Values.workers .component }}
{{- if or $worker (eq .component "ingest") }}
# What Prometheus calls its job: several sinks of a kind share one.
leadline-kind: {{ get ($worker | default dict) "kind" | default .component }}
{{- end }}
{{- with (.root.Values.image.tag | default .root.Chart.AppVersion) }}
app.kubernetes.io/version: {{ . | trunc 63 | quote }}
{{- end }}
{{- end -}}

{{/* The labels of every other object. Takes root, component. */}}
{{- define "leadline.labels" -}}
{{ include "leadline.podLabels" . }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" | trunc 63 }}
{{- end -}}

{{/* A digest wins: a tag can be moved. */}}
{{- define "leadline.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository .Values.image.tag -}}
{{- end -}}
{{- end -}}

{{/*
Lays one map over another, which is changed: an entry of `over` wins, maps are merged. Unlike mergeOverwrite it also takes over
`false`, 0 and "". Takes base, over.
*/}}
{{- define "leadline.overlay" -}}
{{- range $key, $value := .over -}}
{{- if and (kindIs "map" $value) (kindIs "map" (get $.base $key)) -}}
{{- include "leadline.overlay" (dict "base" (get $.base $key) "over" $value) -}}
{{- else -}}
{{- $_ := set $.base $key $value -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/*
The Secret and the user name by which a component comes to Kafka: its own, or the common one, or that of its KafkaUser.
Takes root, component, settings.
*/}}
{{- define "leadline.kafkaSecret" -}}
{{- $user := ternary (include "leadline.componentName" .) "" .root.Values.kafkaResources.users.enabled -}}
{{- .settings.kafka.existingSecret | default .root.Values.kafka.existingSecret | default $user -}}
{{- end -}}

{{- define "leadline.kafkaUsername" -}}
{{- $user := ternary (include "leadline.componentName" .) "" .root.Values.kafkaResources.users.enabled -}}
{{- .settings.kafka.username | default .root.Values.kafka.sasl.username | default $user -}}
{{- end -}}

{{/* The physical name of a sink's topic. Takes pattern, sink. */}}
{{- define "leadline.sinkTopic" -}}
{{- .pattern | replace "{sink}" .sink -}}
{{- end -}}

{{/* A duration as the configuration has it, such as "75s" or "1m 30s", in seconds, rounded up. Takes key, value. */}}
{{- define "leadline.seconds" -}}
{{- $text := .value | toString | nospace -}}
{{- if not (regexMatch "^([0-9]+(ms|s|sec|secs|second|seconds|m|min|mins|minute|minutes|h|hr|hour|hours))+$" $text) -}}
{{- fail (printf "config.%s: %q is no duration such as \"75s\" or \"1m30s\"." .key $text) -}}
{{- end -}}
{{- $millis := 0 -}}
{{- range regexFindAll "[0-9]+[a-z]+" $text -1 -}}
{{- $number := regexFind "^[0-9]+" . | int -}}
{{- $unit := regexFind "[a-z]+$" . -}}
{{- if eq $unit "ms" -}}
{{- $millis = add $millis $number -}}
{{- else if hasPrefix "s" $unit -}}
{{- $millis = add $millis (mul $number 1000) -}}
{{- else if hasPrefix "m" $unit -}}
{{- $millis = add $millis (mul $number 60000) -}}
{{- else -}}
{{- $millis = add $millis (mul $number 3600000) -}}
{{- end -}}
{{- end -}}
{{- div (add $millis 999) 1000 -}}
{{- end -}}
