{{/*
The one pod template, for ingest, every worker and the jobs: so what holds for one holds for all. How many there are and how they
are replaced belongs in statefulset.yaml, deployments.yaml and jobs.yaml; what the configuration says in _config.tpl.

Takes
  root       the chart
  component  name of the component; the service account and the labels follow from it
  settings   its values: resources, env, kafka, …
  command    the program and its arguments, a list
  role       ingest, worker or job
  secrets    files of its own: path → {existingSecret, key}, mounted at `secretsAt`
  claim      name of the claim with the spool, or "" where the StatefulSet makes it; without the key there is none
*/}}
{{- define "leadline.pod" -}}
{{- $root := .root -}}
{{- $values := .root.Values -}}
{{- $settings := .settings -}}
{{- $names := dict "root" .root "component" .component -}}
{{- $kafkaSecret := include "leadline.kafkaSecret" (dict "root" .root "component" (.kafkaAs | default .component) "settings" $settings) -}}
{{- $sasl := ne $values.kafka.sasl.mechanism "none" -}}
{{- $certificate := $values.kafka.tls.clientCertificate.enabled -}}
{{- $ca := $values.kafka.tls.ca.existingSecret -}}
{{- $kafkaFiles := or $sasl $certificate $ca -}}
{{- $spool := hasKey . "claim" -}}
metadata:
  labels:
    {{- include "leadline.podLabels" $names | nindent 4 }}
    {{- with $settings.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- if or (ne .role "job") $settings.podAnnotations }}
  annotations:
    {{- if ne .role "job" }}
    # Of what is read at the start only, and never of a secret: see _config.tpl.
    checksum/config: {{ include "leadline.configChecksum" $names }}
    {{- end }}
    {{- with $settings.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
spec:
  serviceAccountName: {{ include "leadline.componentName" $names }}
  # No process asks Kubernetes for anything.
  automountServiceAccountToken: false
  enableServiceLinks: false
  {{- if $values.userNamespaces }}
  hostUsers: false
  {{- end }}
  {{- with $values.image.pullSecrets }}
  imagePullSecrets:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $settings.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  {{- if eq .role "job" }}
  restartPolicy: Never
  {{- else }}
  terminationGracePeriodSeconds: {{ $settings.terminationGracePeriodSeconds }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile:
      type: RuntimeDefault
  {{- if ne .role "job" }}
  topologySpreadConstraints:
    {{- range $key := list "topology.kubernetes.io/zone" "kubernetes.io/hostname" }}
    - maxSkew: 1
      topologyKey: {{ $key }}
      whenUnsatisfiable: ScheduleAnyway
      labelSelector:
        matchLabels:
          {{- include "leadline.selectorLabels" $names | nindent 10 }}
      matchLabelKeys: [{{ ternary "controller-revision-hash" "pod-template-hash" (eq $.role "ingest") }}]
    {{- end }}
  {{- end }}
  {{- with $settings.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $settings.affinity }}
  affinity:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $settings.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ .role }}
      image: {{ include "leadline.image" $root | quote }}
      imagePullPolicy: {{ $values.image.pullPolicy }}
      command: [{{ printf "/usr/local/bin/%s" (first .command) | quote }}]
      args:
        {{- range rest .command }}
        - {{ . | quote }}
        {{- end }}
      env:
        {{- if $sasl }}
        - name: LEADLINE__KAFKA__SASL__USERNAME
          value: {{ include "leadline.kafkaUsername" (dict "root" $root "component" (.kafkaAs | default .component) "settings" $settings) | quote }}
        {{- end }}
        - name: POD_NAME
          valueFrom:
            fieldRef:
              fieldPath: metadata.name
        - name: POD_NAMESPACE
          valueFrom:
            fieldRef:
              fieldPath: metadata.namespace
        - name: NODE_NAME
          valueFrom:
            fieldRef:
              fieldPath: spec.nodeName
        {{- if and $values.tracing.endpoint (ne .role "job") }}
        - name: OTEL_EXPORTER_OTLP_ENDPOINT
          value: {{ $values.tracing.endpoint | quote }}
        - name: OTEL_TRACES_SAMPLER
          value: {{ $values.tracing.sampler | quote }}
        {{- with $values.tracing.samplerArg }}
        - name: OTEL_TRACES_SAMPLER_ARG
          value: {{ . | quote }}
        {{- end }}
        - name: OTEL_SERVICE_NAME
          value: {{ printf "leadline-%s" .component }}
        - name: OTEL_RESOURCE_ATTRIBUTES
          value: service.namespace=leadline,k8s.namespace.name=$(POD_NAMESPACE),k8s.pod.name=$(POD_NAME),k8s.node.name=$(NODE_NAME)
        {{- end }}
        {{- with .env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
        {{- with $settings.env }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- if ne .role "job" }}
      ports:
        {{- if eq .role "ingest" }}
        - name: http
          containerPort: 8080
          protocol: TCP
        {{- end }}
        - name: http-metrics
          containerPort: 9090
          protocol: TCP
      startupProbe:
        httpGet:
          path: /livez
          port: http-metrics
        periodSeconds: {{ ternary 1 2 (eq .role "ingest") }}
        failureThreshold: {{ ternary 60 30 (eq .role "ingest") }}
        timeoutSeconds: 2
      livenessProbe:
        httpGet:
          path: /livez
          port: http-metrics
        periodSeconds: 10
        failureThreshold: 3
        timeoutSeconds: 2
      readinessProbe:
        httpGet:
          path: /readyz
          port: http-metrics
        periodSeconds: {{ ternary 3 5 (eq .role "ingest") }}
        failureThreshold: 2
        timeoutSeconds: 2
      {{- end }}
      {{- if eq .role "ingest" }}
      lifecycle:
        preStop:
          # Until no proxy sends anything here any more.
          sleep:
            seconds: {{ $settings.preStopSleepSeconds }}
      {{- end }}
      resources:
        {{- toYaml $settings.resources | nindent 8 }}
      terminationMessagePolicy: FallbackToLogsOnError
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        privileged: false
        capabilities:
          drop: [ALL]
      volumeMounts:
        # Folders all of them: what is mounted by subPath never changes.
        - name: config
          mountPath: /etc/leadline
          readOnly: true
        {{- if $kafkaFiles }}
        - name: kafka
          mountPath: /run/secrets/kafka
          readOnly: true
        {{- end }}
        {{- if .secrets }}
        - name: secrets
          mountPath: {{ .secretsAt }}
          readOnly: true
        {{- end }}
        {{- if and (eq .role "ingest") $values.ingest.tls.existingSecret }}
        - name: tls
          mountPath: /run/secrets/tls
          readOnly: true
        {{- end }}
        {{- if $spool }}
        # The spool is a folder in it, as it must be the only thing in its folder and a disk may bring a lost+found.
        - name: spool
          mountPath: /var/lib/leadline
        {{- end }}
        {{- with $settings.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
  volumes:
    - name: config
      configMap:
        name: {{ include "leadline.fullname" $root }}
        defaultMode: 292 # 0444
    {{- if $kafkaFiles }}
    - name: kafka
      projected:
        defaultMode: 288 # 0440, for the group that fsGroup names
        sources:
          {{- if or $sasl $certificate }}
          - secret:
              name: {{ $kafkaSecret }}
              items:
                {{- if $sasl }}
                - key: {{ $values.kafka.sasl.passwordKey }}
                  path: password
                {{- end }}
                {{- if $certificate }}
                - key: {{ $values.kafka.tls.clientCertificate.certificateKey }}
                  path: tls.crt
                - key: {{ $values.kafka.tls.clientCertificate.keyKey }}
                  path: tls.key
                {{- end }}
          {{- end }}
          {{- with $ca }}
          - secret:
              name: {{ . }}
              items:
                - key: {{ $values.kafka.tls.ca.key }}
                  path: ca.crt
          {{- end }}
    {{- end }}
    {{- if .secrets }}
    - name: secrets
      projected:
        defaultMode: 288
        sources:
          {{- range $path, $secret := .secrets }}
          - secret:
              name: {{ $secret.existingSecret }}
              items:
                - key: {{ $secret.key }}
                  path: {{ $path }}
          {{- end }}
    {{- end }}
    {{- if and (eq .role "ingest") $values.ingest.tls.existingSecret }}
    - name: tls
      secret:
        secretName: {{ $values.ingest.tls.existingSecret }}
        defaultMode: 288
    {{- end }}
    {{- if and $spool .claim }}
    - name: spool
      persistentVolumeClaim:
        claimName: {{ .claim }}
    {{- end }}
    {{- with $settings.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
