// What every Go program built here begins with. Each would bring a Kubernetes client, gRPC, OpenTelemetry and the rest
// in versions of its own, and these are most of what is compiled. In one version, the highest that any of them asks for,
// they are compiled once: `go list -deps` tells. A program that asks for a higher one gets it, and takes longer to build.
// These imply the versions of the others.
require (
	github.com/BurntSushi/toml v1.5.0
	github.com/aws/aws-sdk-go-v2/config v1.33.9
	github.com/containerd/errdefs v1.0.0
	github.com/coredns/caddy v1.1.2-0.20241029205200-8de985351a98
	github.com/cyphar/filepath-securejoin v0.6.1
	github.com/davecgh/go-spew v1.1.2-0.20180830191138-d8f796af33cc
	github.com/edsrzf/mmap-go v1.2.1-0.20241212181136-fad1cd13edbd
	github.com/fatih/color v1.18.0
	github.com/fsnotify/fsnotify v1.10.1
	github.com/fxamacker/cbor/v2 v2.9.1
	github.com/go-openapi/jsonpointer v1.0.2
	github.com/go-openapi/strfmt v0.27.4
	github.com/grafana/regexp v0.0.0-20250905093917-f7b3be9d1853
	github.com/grpc-ecosystem/grpc-gateway/v2 v2.32.0
	github.com/klauspost/compress v1.20.3
	github.com/mattn/go-colorable v0.1.14
	github.com/mattn/go-runewidth v0.0.16
	github.com/miekg/dns v1.1.68
	github.com/moby/term v0.5.2
	github.com/pmezard/go-difflib v1.0.1-0.20181226105442-5d4384ee4fb2
	github.com/prometheus/client_golang v1.25.0
	github.com/prometheus/common v0.72.1
	github.com/prometheus/exporter-toolkit v0.20.0
	github.com/prometheus/sigv4 v0.5.0
	github.com/spf13/cast v1.10.0
	github.com/spf13/cobra v1.10.2
	go.etcd.io/etcd/client/v3 v3.6.14
	go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc v1.47.0
	go.uber.org/atomic v1.12.0
	go.uber.org/zap v1.28.0
	golang.org/x/net v0.61.0
	golang.org/x/time v0.16.0
	google.golang.org/genproto/googleapis/api v0.0.0-20261019180522-ce908d29299b
	google.golang.org/grpc v1.84.0
	gopkg.in/evanphx/json-patch.v4 v4.13.0
	k8s.io/kube-openapi v0.0.0-20260721132016-d427ff9ee9ad
	k8s.io/utils v0.0.0-20260626114624-be93311217bd
	sigs.k8s.io/structured-merge-diff/v6 v6.4.2
)

// Kubernetes names these as folders of its own repository.
require (
	k8s.io/api KUBERNETES
	k8s.io/apiextensions-apiserver KUBERNETES
	k8s.io/apimachinery KUBERNETES
	k8s.io/apiserver KUBERNETES
	k8s.io/cli-runtime KUBERNETES
	k8s.io/client-go KUBERNETES
	k8s.io/cloud-provider KUBERNETES
	k8s.io/cluster-bootstrap KUBERNETES
	k8s.io/component-base KUBERNETES
	k8s.io/component-helpers KUBERNETES
	k8s.io/controller-manager KUBERNETES
	k8s.io/cri-api KUBERNETES
	k8s.io/cri-client KUBERNETES
	k8s.io/csi-translation-lib KUBERNETES
	k8s.io/dynamic-resource-allocation KUBERNETES
	k8s.io/endpointslice KUBERNETES
	k8s.io/externaljwt KUBERNETES
	k8s.io/kms KUBERNETES
	k8s.io/kube-aggregator KUBERNETES
	k8s.io/kube-controller-manager KUBERNETES
	k8s.io/kube-proxy KUBERNETES
	k8s.io/kube-scheduler KUBERNETES
	k8s.io/kubectl KUBERNETES
	k8s.io/kubelet KUBERNETES
	k8s.io/metrics KUBERNETES
	k8s.io/mount-utils KUBERNETES
	k8s.io/pod-security-admission KUBERNETES
)

replace (
	k8s.io/api v0.0.0 => k8s.io/api KUBERNETES
	k8s.io/apiextensions-apiserver v0.0.0 => k8s.io/apiextensions-apiserver KUBERNETES
	k8s.io/apimachinery v0.0.0 => k8s.io/apimachinery KUBERNETES
	k8s.io/apiserver v0.0.0 => k8s.io/apiserver KUBERNETES
	k8s.io/cli-runtime v0.0.0 => k8s.io/cli-runtime KUBERNETES
	k8s.io/client-go v0.0.0 => k8s.io/client-go KUBERNETES
	k8s.io/cloud-provider v0.0.0 => k8s.io/cloud-provider KUBERNETES
	k8s.io/cluster-bootstrap v0.0.0 => k8s.io/cluster-bootstrap KUBERNETES
	k8s.io/code-generator v0.0.0 => k8s.io/code-generator KUBERNETES
	k8s.io/component-base v0.0.0 => k8s.io/component-base KUBERNETES
	k8s.io/component-helpers v0.0.0 => k8s.io/component-helpers KUBERNETES
	k8s.io/controller-manager v0.0.0 => k8s.io/controller-manager KUBERNETES
	k8s.io/cri-api v0.0.0 => k8s.io/cri-api KUBERNETES
	k8s.io/cri-client v0.0.0 => k8s.io/cri-client KUBERNETES
	k8s.io/csi-translation-lib v0.0.0 => k8s.io/csi-translation-lib KUBERNETES
	k8s.io/dynamic-resource-allocation v0.0.0 => k8s.io/dynamic-resource-allocation KUBERNETES
	k8s.io/endpointslice v0.0.0 => k8s.io/endpointslice KUBERNETES
	k8s.io/externaljwt v0.0.0 => k8s.io/externaljwt KUBERNETES
	k8s.io/kms v0.0.0 => k8s.io/kms KUBERNETES
	k8s.io/kube-aggregator v0.0.0 => k8s.io/kube-aggregator KUBERNETES
	k8s.io/kube-controller-manager v0.0.0 => k8s.io/kube-controller-manager KUBERNETES
	k8s.io/kube-proxy v0.0.0 => k8s.io/kube-proxy KUBERNETES
	k8s.io/kube-scheduler v0.0.0 => k8s.io/kube-scheduler KUBERNETES
	k8s.io/kubectl v0.0.0 => k8s.io/kubectl KUBERNETES
	k8s.io/kubelet v0.0.0 => k8s.io/kubelet KUBERNETES
	k8s.io/metrics v0.0.0 => k8s.io/metrics KUBERNETES
	k8s.io/mount-utils v0.0.0 => k8s.io/mount-utils KUBERNETES
	k8s.io/pod-security-admission v0.0.0 => k8s.io/pod-security-admission KUBERNETES
	k8s.io/sample-apiserver v0.0.0 => k8s.io/sample-apiserver KUBERNETES
)

// Prometheus asks for these, and is content with Kubernetes' own.
exclude (
	k8s.io/api v0.37.1
	k8s.io/apimachinery v0.37.1
	k8s.io/client-go v0.37.1
)
