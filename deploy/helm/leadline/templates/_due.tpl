{{/*
What a worker is scaled by, as PromQL: the leads of a sink that are due, and those that come within the time in which they are to be
handled. Takes root, sink, within, that time in seconds, and threshold, the leads that one pod handles in it.

By what is due alone there would be too few pods as soon as there are enough: nothing waits, pods go, leads wait, pods come, again and
again. What is handled a second stands for what comes; at a time of many it is less, and then there is a backlog.

Not the lag of the consumer group: leads that wait for their time or are held by an operator lag too, and more pods would not
change that. While the sink is down at half of the pods or more, or the brake of the sink is engaged, more pods would not help
either; then the query says what keeps the number as it is. When no pod tells anything the result is empty, which KEDA takes for a
failure: its fallback applies.
*/}}
{{- define "leadline.due" -}}
{{- $sink := printf "namespace=%q,sink=%q" .root.Release.Namespace .sink -}}
sum(leadline_backlog_leads{ {{- $sink }},state="due"}) + ({{ .within }} * sum(rate(leadline_outcomes_total{ {{- $sink -}} }[5m])) or on () vector(0))
unless on () (avg(leadline_sink_circuit_state{ {{- $sink }},state="open"}) >= 0.5 or on () max(leadline_brake_engaged{ {{- $sink -}} }) == 1)
or on () {{ .threshold }} * count(leadline_brake_engaged{ {{- $sink -}} })
{{- end -}}
