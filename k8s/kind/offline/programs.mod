// What every Go program built here begins with. Each would bring a Kubernetes client, gRPC, OpenTelemetry and the rest in
// versions of its own, and these are most of what is compiled. In one version, the highest that any of them asks for, they
// are compiled once: `go list -deps` tells. A program that asks for a higher one gets it, and takes longer to build.
require (
	github.com/BurntSushi/toml v1.5.0
	github.com/aws/aws-sdk-go-v2 v1.47.3
	github.com/aws/aws-sdk-go-v2/config v1.33.9
	github.com/aws/aws-sdk-go-v2/credentials v1.20.9
	github.com/aws/aws-sdk-go-v2/feature/ec2/imds v1.20.3
	github.com/aws/aws-sdk-go-v2/internal/configsources v1.5.6
	github.com/aws/aws-sdk-go-v2/internal/endpoints/v2 v2.8.6
	github.com/aws/aws-sdk-go-v2/service/internal/accept-encoding v1.13.21
	github.com/aws/aws-sdk-go-v2/service/internal/presigned-url v1.14.6
	github.com/aws/aws-sdk-go-v2/service/sso v1.38.4
	github.com/aws/aws-sdk-go-v2/service/ssooidc v1.43.4
	github.com/aws/aws-sdk-go-v2/service/sts v1.51.4
	github.com/aws/smithy-go v1.28.5
	github.com/containerd/errdefs v1.0.0
	github.com/coredns/caddy v1.1.2-0.20241029205200-8de985351a98
	github.com/coreos/go-systemd/v22 v22.7.0
	github.com/cyphar/filepath-securejoin v0.6.1
	github.com/davecgh/go-spew v1.1.2-0.20180830191138-d8f796af33cc
	github.com/edsrzf/mmap-go v1.2.1-0.20241212181136-fad1cd13edbd
	github.com/emicklei/go-restful/v3 v3.13.0
	github.com/fatih/color v1.18.0
	github.com/felixge/httpsnoop v1.1.0
	github.com/fsnotify/fsnotify v1.10.1
	github.com/fxamacker/cbor/v2 v2.9.1
	github.com/go-logr/logr v1.4.4
	github.com/go-openapi/analysis v1.0.0
	github.com/go-openapi/errors v0.22.9
	github.com/go-openapi/jsonpointer v1.0.2
	github.com/go-openapi/jsonreference v1.0.2
	github.com/go-openapi/loads v0.25.3
	github.com/go-openapi/spec v1.0.1
	github.com/go-openapi/strfmt v0.27.4
	github.com/go-openapi/swag v0.29.2
	github.com/go-openapi/validate v1.0.0
	github.com/go-viper/mapstructure/v2 v2.5.0
	github.com/golang-jwt/jwt/v5 v5.3.1
	github.com/grafana/regexp v0.0.0-20250905093917-f7b3be9d1853
	github.com/grpc-ecosystem/grpc-gateway/v2 v2.32.0
	github.com/hashicorp/go-version v1.9.0
	github.com/klauspost/compress v1.20.3
	github.com/knadh/koanf/maps v0.1.3
	github.com/knadh/koanf/providers/confmap v1.0.1
	github.com/knadh/koanf/v2 v2.3.8
	github.com/mattn/go-colorable v0.1.14
	github.com/mattn/go-isatty v0.0.20
	github.com/mattn/go-runewidth v0.0.16
	github.com/mdlayher/socket v0.6.0
	github.com/mdlayher/vsock v1.3.0
	github.com/miekg/dns v1.1.68
	github.com/moby/term v0.5.2
	github.com/pmezard/go-difflib v1.0.1-0.20181226105442-5d4384ee4fb2
	github.com/prometheus/client_golang v1.25.0
	github.com/prometheus/client_model v0.6.3
	github.com/prometheus/common v0.72.1
	github.com/prometheus/exporter-toolkit v0.20.0
	github.com/prometheus/procfs v0.22.0
	github.com/prometheus/sigv4 v0.5.0
	github.com/spf13/cast v1.10.0
	github.com/spf13/cobra v1.10.2
	github.com/spf13/pflag v1.0.10
	github.com/stretchr/testify v1.12.1
	go.etcd.io/etcd/api/v3 v3.6.14
	go.etcd.io/etcd/client/pkg/v3 v3.6.14
	go.etcd.io/etcd/client/v3 v3.6.14
	go.opentelemetry.io/auto/sdk v1.2.1
	go.opentelemetry.io/collector/component v1.69.0
	go.opentelemetry.io/collector/confmap v1.69.0
	go.opentelemetry.io/collector/consumer v1.69.0
	go.opentelemetry.io/collector/consumer/xconsumer v0.163.0
	go.opentelemetry.io/collector/featuregate v1.69.0
	go.opentelemetry.io/collector/pdata v1.69.0
	go.opentelemetry.io/collector/pdata/pprofile v0.163.0
	go.opentelemetry.io/collector/pdata/xpdata v0.163.0
	go.opentelemetry.io/collector/pipeline v1.69.0
	go.opentelemetry.io/otel v1.47.0
	go.opentelemetry.io/otel/exporters/otlp/otlptrace v1.47.0
	go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc v1.47.0
	go.opentelemetry.io/otel/log v1.47.0
	go.opentelemetry.io/otel/metric v1.47.0
	go.opentelemetry.io/otel/sdk v1.47.0
	go.opentelemetry.io/otel/trace v1.47.0
	go.opentelemetry.io/proto/otlp v1.11.0
	go.uber.org/atomic v1.12.0
	go.uber.org/zap v1.28.0
	go.yaml.in/yaml/v2 v2.4.4
	go.yaml.in/yaml/v3 v3.0.5
	golang.org/x/crypto v0.58.0
	golang.org/x/exp v0.0.0-20261014143641-f0251eb4aa3e
	golang.org/x/net v0.61.0
	golang.org/x/oauth2 v0.37.0
	golang.org/x/sync v0.24.0
	golang.org/x/sys v0.49.0
	golang.org/x/term v0.47.0
	golang.org/x/text v0.43.0
	golang.org/x/time v0.16.0
	google.golang.org/genproto/googleapis/api v0.0.0-20261019180522-ce908d29299b
	google.golang.org/genproto/googleapis/rpc v0.0.0-20261012220534-4341edf3f941
	google.golang.org/grpc v1.84.0
	google.golang.org/protobuf v1.36.12
	gopkg.in/evanphx/json-patch.v4 v4.13.0
	k8s.io/klog/v2 v2.140.0
	k8s.io/kube-openapi v0.0.0-20260721132016-d427ff9ee9ad
	k8s.io/utils v0.0.0-20260626114624-be93311217bd
	sigs.k8s.io/json v0.0.0-20250730193827-2d320260d730
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
	k8s.io/sample-cli-plugin v0.0.0 => k8s.io/sample-cli-plugin KUBERNETES
	k8s.io/sample-controller v0.0.0 => k8s.io/sample-controller KUBERNETES
)

// Helm and Prometheus ask for these, and are content with Kubernetes' own.
exclude (
	k8s.io/api v0.37.0
	k8s.io/api v0.37.1
	k8s.io/apimachinery v0.37.0
	k8s.io/apimachinery v0.37.1
	k8s.io/client-go v0.37.0
	k8s.io/client-go v0.37.1
)
