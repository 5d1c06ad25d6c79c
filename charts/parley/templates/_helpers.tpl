{{/* The image of everything, or of a canary. */}}
{{- define "parley.image" -}}
{{- $own := .own | default dict -}}
{{- printf "%s:%s" (default .root.Values.image.repository $own.repository) (default (default .root.Chart.AppVersion .root.Values.image.tag) $own.tag) -}}
{{- end }}

{{/* What a label can hold of the tag: the part before a digest, no longer than 63 characters. */}}
{{- define "parley.version" -}}
{{- default .Chart.AppVersion .Values.image.tag | splitList "@" | first | trunc 63 | trimAll "-_." -}}
{{- end }}

{{- define "parley.labels" -}}
app.kubernetes.io/part-of: parley
app.kubernetes.io/name: parley
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/version: {{ include "parley.version" .root | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* What no schema can see, and the API server would only say when half of the release is there. */}}
{{- define "parley.check" -}}
{{- if not (regexMatch "^[a-z]([-a-z0-9]{0,46}[a-z0-9])?$" .Release.Name) -}}
{{- fail (printf "the release's name is %q; its Services want small letters, digits and hyphens, a letter first, and 48 characters at most" .Release.Name) -}}
{{- end -}}
{{- with .Values.gateway.service -}}
{{- if and .nodePort (eq (int .nodePort) (int .grpcNodePort)) -}}
{{- fail (printf "gateway.service.nodePort and gateway.service.grpcNodePort are both %d: a port of the nodes is for one of them" (int .nodePort)) -}}
{{- end -}}
{{- end -}}
{{- end }}

{{- define "parley.selector" -}}
app.kubernetes.io/name: parley
app.kubernetes.io/instance: {{ .root.Release.Name | quote }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{/* Of a store's pods: without versions, so that an upgrade of Parley does not restart them. */}}
{{- define "parley.storeLabels" -}}
app.kubernetes.io/part-of: parley
{{ include "parley.selector" . }}
{{- end }}

{{- define "parley.keysSecret" -}}
{{- default (printf "%s-keys" .Release.Name) .Values.auth.existingSecret -}}
{{- end }}

{{- define "parley.databaseSecret" -}}
{{- if .Values.postgresql.existingSecret -}}
{{- .Values.postgresql.existingSecret -}}
{{- else if .Values.postgresql.enabled -}}
{{- .Release.Name }}-postgresql
{{- else -}}
{{- fail "postgresql.existingSecret is empty and postgresql.enabled is false: name a Secret with the key url, or enable the PostgreSQL for trying out" -}}
{{- end -}}
{{- end }}

{{- define "parley.redisSecret" -}}
{{- if .Values.redis.existingSecret -}}
{{- .Values.redis.existingSecret -}}
{{- else if .Values.redis.enabled -}}
{{- .Release.Name }}-redis
{{- end -}}
{{- end }}

{{/* Restricted pod security. */}}
{{- define "parley.podSecurity" -}}
runAsNonRoot: true
runAsUser: 1000
runAsGroup: 1000
fsGroup: 1000
seccompProfile: {type: RuntimeDefault}
{{- end }}

{{- define "parley.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{- define "parley.pullSecrets" -}}
{{- with .Values.image.pullSecrets -}}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- end }}

{{/*
Settings from maps of environment variables; later maps win. A setting that has a value of its own, or that the chart's
Services and probes go by, is not to be given twice: Kubernetes would take the last one, and Helm's next upgrade might mix
them up. JSON, since a large number is 1e+06 as a string of Go's.
*/}}
{{- define "parley.env" -}}
{{- $all := dict "LOG_LEVEL" .root.Values.logLevel -}}
{{- range .maps }}{{ $all = mergeOverwrite $all (deepCopy .) }}{{ end -}}
{{- $values := dict
  "PARLEY_AUTH" "auth.mode"
  "PARLEY_ROOMS" "rooms.mode"
  "PARLEY_JWT_KEYS" "auth.existingSecret"
  "PARLEY_DRAIN_SECONDS" "drainSeconds"
  "PARLEY_ADMIN_USERNAME" "admin.existingSecret"
  "PARLEY_ADMIN_PASSWORD" "admin.existingSecret"
  "PARLEY_ALLOWED_ORIGINS" "gateway.allowedOrigins"
  "PARLEY_TRUSTED_PROXIES" "gateway.trustedProxies"
  "PARLEY_PROMETHEUS_URL" "operator.prometheusUrl"
  "OTEL_EXPORTER_OTLP_ENDPOINT" "tracing.endpoint"
  "DATABASE_URL" "postgresql.existingSecret"
  "REDIS_URL" "redis.existingSecret"
-}}
{{- range $name, $value := $values }}{{ if hasKey $all $name }}{{ fail (printf "env.%s is not to be set: use the value %s" $name $value) }}{{ end }}{{ end -}}
{{- $own := list "PARLEY_POD_NAME" "POD_NAMESPACE" "PARLEY_WATCH_NAMESPACE" "PARLEY_HTTP_PORT" "PARLEY_GRPC_PORT" "PARLEY_METRICS_PORT" -}}
{{- range list "USER" "CHAT" "ORDER" "PAYMENT" }}{{ $own = append $own (printf "PARLEY_%s_ADDRESS" .) }}{{ end -}}
{{- range $own }}{{ if hasKey $all . }}{{ fail (printf "env.%s is not to be set: the chart's own Services and probes go by it" .) }}{{ end }}{{ end -}}
{{- $lines := list -}}
{{- range $name, $value := $all }}{{ $lines = append $lines (printf "- {name: %s, value: %s}" $name (ternary $value (toJson $value) (kindIs "string" $value) | quote)) }}{{ end -}}
{{- join "\n" $lines -}}
{{- end }}

{{/* DATABASE_URL, for migrations and services. */}}
{{- define "parley.databaseEnv" -}}
- name: DATABASE_URL
  valueFrom: {secretKeyRef: {name: {{ include "parley.databaseSecret" . | quote }}, key: url}}
{{- end }}

{{- define "parley.redisEnv" -}}
{{- with include "parley.redisSecret" . -}}
- name: REDIS_URL
  valueFrom: {secretKeyRef: {name: {{ . | quote }}, key: url}}
{{- end }}
{{- end }}

{{/* Where services find each other. */}}
{{- define "parley.addresses" -}}
{{- range $service := list "user" "chat" "order" "payment" -}}
- {name: PARLEY_{{ upper $service }}_ADDRESS, value: {{ printf "k8s:///%s-%s:grpc" $.Release.Name $service | quote }}}
{{ end }}
{{- end }}

{{- define "parley.commonEnv" -}}
- name: PARLEY_POD_NAME
  valueFrom: {fieldRef: {fieldPath: metadata.name}}
- name: POD_NAMESPACE
  valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
{{- with .Values.tracing.endpoint }}
- {name: OTEL_EXPORTER_OTLP_ENDPOINT, value: {{ . | quote }}}
{{- end }}
{{- end }}

{{/* Whose word counts of where a caller is: behind a route of the chart's own, proxies in the cluster. */}}
{{- define "parley.trustedProxies" -}}
{{- with .Values.gateway -}}
{{- if .trustedProxies -}}
{{- join "," .trustedProxies -}}
{{- else if or .ingress.enabled .httpRoute.enabled -}}
uniquelocal
{{- end -}}
{{- end -}}
{{- end }}

{{- define "parley.probes" -}}
startupProbe:
  httpGet: {path: /livez, port: metrics}
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: 300
# A node that is too busy is not helped by starting everything anew: only who says nothing for a minute is.
livenessProbe:
  httpGet: {path: /livez, port: metrics}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
readinessProbe:
  httpGet: {path: /readyz, port: metrics}
  periodSeconds: 2
  timeoutSeconds: 3
  failureThreshold: 2
{{- end }}
