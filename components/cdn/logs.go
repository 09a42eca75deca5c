package cdn

import (
	"cmp"
	_ "embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/pulumi/pulumi-fastly/sdk/v8/go/fastly"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// The lines that are logged, in Fastly's format. The CSV is what changelog.com counts downloads from.
// Upstream: https://www.fastly.com/documentation/guides/integrations/streaming-logs/custom-log-formats
var (
	//go:embed logs/download.csv
	downloadLine string
	//go:embed logs/request.json
	requestLine string
)

// fromVisitor is met by requests of visitors. Between two of Fastly's sites, and for each part of a large file, the same request
// comes by again.
const fromVisitor = "fastly.ff.visits_this_service == 0 && !segmented_caching.is_inner_req"

const visitorCondition = "from a visitor"

func (a *Args) s3Logs() (fastly.ServiceVclConditionArray, fastly.ServiceVclLoggingS3Array) {
	var conditions fastly.ServiceVclConditionArray
	var logs fastly.ServiceVclLoggingS3Array
	if len(a.Logs.HTTPS) > 0 {
		conditions = append(conditions, responseCondition(visitorCondition, fromVisitor))
	}
	for _, log := range a.Logs.S3 {
		for _, prefix := range slices.Sorted(maps.Keys(log.Buckets)) {
			name := s3LogName(prefix, log.Buckets[prefix])
			conditions = append(conditions,
				responseCondition(name, fmt.Sprintf(`%s && std.prefixof(req.url, "%s")`, fromVisitor, prefix)))
			logs = append(logs, fastly.ServiceVclLoggingS3Args{
				Name:              pulumi.String(name),
				BucketName:        pulumi.String(log.Buckets[prefix]),
				Domain:            pulumi.String(cmp.Or(log.Endpoint, "s3.amazonaws.com")),
				S3AccessKey:       a.secret(log.AccessKey).ToStringPtrOutput(),
				S3SecretKey:       a.secret(log.SecretKey).ToStringPtrOutput(),
				Period:            pulumi.Int(duration(cmp.Or(log.Period, "1h")).Seconds()),
				Format:            pulumi.String(strings.TrimSpace(downloadLine)),
				MessageType:       pulumi.String("blank"), // nothing before the line
				ResponseCondition: pulumi.String(name),
			})
		}
	}
	return conditions, logs
}

func (a *Args) httpsLogs() fastly.ServiceVclLoggingHttpArray {
	var logs fastly.ServiceVclLoggingHttpArray
	for _, log := range a.Logs.HTTPS {
		logs = append(logs, fastly.ServiceVclLoggingHttpArgs{
			Name:              pulumi.String(log.Name),
			Url:               pulumi.String(log.URL),
			HeaderName:        pulumi.String(cmp.Or(log.Header, "Authorization")),
			HeaderValue:       a.secret(log.Token).ToStringPtrOutput(),
			ContentType:       pulumi.String("application/json"),
			JsonFormat:        pulumi.String("1"), // a list of objects
			MessageType:       pulumi.String("blank"),
			Format:            pulumi.String(strings.TrimSpace(requestLine)),
			ResponseCondition: pulumi.String(visitorCondition),
		})
	}
	return logs
}

// s3LogName names a log, and the condition that goes with it, in a way that can stand in a URL.
func s3LogName(prefix, bucket string) string {
	return strings.ReplaceAll(strings.Trim(prefix, "/"), "/", "-") + " to " + bucket
}

func responseCondition(name, statement string) fastly.ServiceVclConditionArgs {
	return fastly.ServiceVclConditionArgs{
		Name: pulumi.String(name), Type: pulumi.String("RESPONSE"), Statement: pulumi.String(statement),
	}
}
