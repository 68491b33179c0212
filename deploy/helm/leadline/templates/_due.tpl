{{/*
How many leads of a sink are due, as PromQL: what a worker is scaled by. Takes root, sink, threshold, the leads of one pod.

Not the lag of the consumer group: leads that wait for their time or are held by an operator lag too, and more pods would not
change that. While the sink is down at half of the pods or more, or the brake of the sink is engaged, more pods would not help
either; then the query says what keeps the number as it is. When no pod tells anything the result is empty, which KEDA takes for a
failure: its fallback applies.
*/}}
{{- define "leadline.due" -}}
{{- $sink := printf "namespace=%q,sink=%q" .root.Release.Namespace .sink -}}
sum(leadline_backlog_leads{ {{- $sink }},state="due"})
unless on () (avg(leadline_sink_circuit_state{ {{- $sink }},state="open"}) >= 0.5 or on () max(leadline_brake_engaged{ {{- $sink -}} }) == 1)
or on () {{ .threshold }} * count(leadline_brake_engaged{ {{- $sink -}} })
{{- end -}}
