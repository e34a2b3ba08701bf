{{/*
The Deployment, the Service and the PodDisruptionBudget of one service. The argument has root,
component, grace (seconds that a pod has to stop) and, if no autoscaler sets it, replicas.
The template "headrace.<component>.container" adds env, lifecycle and probes.
*/}}
{{- define "headrace.service" -}}
{{- $root := .root }}
{{- $values := .root.Values }}
{{- $own := index $values .component }}
{{- $pod := mergeOverwrite (deepCopy $values.pod) $own.pod }}
{{- $archive := include "headrace.archive.parts" . | fromYaml }}
{{- $name := printf "%s-%s" (include "headrace.name" .root) .component }}
{{- $selector := include "headrace.selector" . }}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "headrace.labels" $root | nindent 4 }}
    {{- omit (fromYaml $selector) "app.kubernetes.io/instance" | toYaml | nindent 4 }}
spec:
  {{- if hasKey . "replicas" }}
  replicas: {{ .replicas }}
  {{- end }}
  revisionHistoryLimit: 5
  selector:
    matchLabels: {{- $selector | nindent 6 }}
  strategy: { type: RollingUpdate, rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }
  template:
    metadata:
      labels:
        {{- mergeOverwrite (dict "app.kubernetes.io/part-of" "headrace") $pod.labels (fromYaml $selector) | toYaml | nindent 8 }}
      annotations: # changed settings restart the pods
        checksum/settings: {{ include "headrace.settings" $root | sha256sum }}
        {{- with $pod.annotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ include "headrace.serviceAccount" $root }}
      automountServiceAccountToken: false
      enableServiceLinks: false # no environment variables for other services
      terminationGracePeriodSeconds: {{ .grace }}
      securityContext:
        {{- include "headrace.podSecurity" . | nindent 8 }}
        {{- with $archive.fsGroup }}
        fsGroup: {{ . }}
        {{- end }}
      {{- with $values.image.pullSecrets }}
      imagePullSecrets:
        {{- range . }}
        - name: {{ . | quote }}
        {{- end }}
      {{- end }}
      {{- with $values.topologySpread.keys }}
      topologySpreadConstraints:
        {{- range . }}
        - maxSkew: 1
          topologyKey: {{ . | quote }}
          whenUnsatisfiable: {{ $values.topologySpread.whenUnsatisfiable }}
          labelSelector:
            matchLabels: {{- $selector | nindent 14 }}
        {{- end }}
      {{- end }}
      {{- range $key := list "nodeSelector" "tolerations" "affinity" "priorityClassName" }}
      {{- with get $pod $key }}
      {{ $key }}: {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
      containers:
        - name: {{ .component }}
          image: {{ include "headrace.image" (dict "root" $root "repository" $own.repository) | quote }}
          {{- with $values.image.pullPolicy }}
          imagePullPolicy: {{ . }}
          {{- end }}
          ports: [{ name: http, containerPort: 8080 }]
          envFrom:
            - configMapRef: { name: {{ include "headrace.name" $root }}-settings }
            {{- with $archive.secret }}
            - secretRef: { name: {{ . | quote }}, optional: true }
            {{- end }}
          {{- include (printf "headrace.%s.container" .component) $root | nindent 10 }}
            {{- with $archive.cache }}
            - { name: ARCHIVE_CACHE_DIR, value: {{ . }} }
            {{- end }}
            {{- with concat $values.pod.extraEnv (dig "extraEnv" list $own.pod) }}
            {{- toYaml . | nindent 12 }}
            {{- end }}
          resources: {{- toYaml $own.resources | nindent 12 }}
          securityContext: {{- include "headrace.containerSecurity" . | nindent 12 }}
          {{- with concat ($archive.mounts | default list) $pod.extraVolumeMounts }}
          volumeMounts: {{- toYaml . | nindent 12 }}
          {{- end }}
      {{- with concat ($archive.volumes | default list) $pod.extraVolumes }}
      volumes: {{- toYaml . | nindent 8 }}
      {{- end }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "headrace.labels" $root | nindent 4 }}
    {{- omit (fromYaml $selector) "app.kubernetes.io/instance" | toYaml | nindent 4 }}
spec:
  selector: {{- $selector | nindent 4 }}
  ports: [{ name: http, port: 8080, targetPort: http }]
{{- if $values.podDisruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ $name }}
  namespace: {{ $root.Release.Namespace }}
  labels:
    {{- include "headrace.labels" $root | nindent 4 }}
    {{- omit (fromYaml $selector) "app.kubernetes.io/instance" | toYaml | nindent 4 }}
spec:
  maxUnavailable: {{ $values.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels: {{- $selector | nindent 6 }}
{{- end }}
{{- end }}
