package fastly

import "github.com/pulumi/pulumi-go-provider/infer"

// VCL is a file of VCL.
type VCL struct {
	Name    string `pulumi:"name"`
	Content string `pulumi:"content"`
	Main    *bool  `pulumi:"main,optional" default:"false"`
}

// Annotate declares the official type and defaults.
func (b *VCL) Annotate(a infer.Annotator) { annotate(a, b, "ServiceVclVcl") }

// LoggingS3 is an S3 bucket that requests are logged to.
type LoggingS3 struct {
	Name              string  `pulumi:"name"`
	ACL               *string `pulumi:"acl,optional" default:""`
	BucketName        string  `pulumi:"bucketName"`
	CompressionCodec  *string `pulumi:"compressionCodec,optional" default:"" values:"zstd snappy gzip"`
	Domain            *string `pulumi:"domain,optional" default:"s3.amazonaws.com"`
	FileMaxBytes      *int    `pulumi:"fileMaxBytes,optional"`
	Format            *string `pulumi:"format,optional" default:"%h %l %u %t \"%r\" %>s %b"`
	FormatVersion     *int    `pulumi:"formatVersion,optional" default:"2" values:"1 2"`
	GzipLevel         *int    `pulumi:"gzipLevel,optional" default:"-1" open:"-1"`
	MessageType       *string `pulumi:"messageType,optional" default:"classic" values:"classic loggly logplex blank"`
	Path              *string `pulumi:"path,optional" default:"" form:"trimmed"`
	Period            *int    `pulumi:"period,optional" default:"3600"`
	Placement         *string `pulumi:"placement,optional" default:"" values:"none waf_debug"`
	PublicKey         *string `pulumi:"publicKey,optional" default:""`
	Redundancy        *string `pulumi:"redundancy,optional"`
	ResponseCondition *string `pulumi:"responseCondition,optional" default:""`
	AccessKey         *string `pulumi:"s3AccessKey,optional" api:"access_key" provider:"secret" default:""`
	IAMRole           *string `pulumi:"s3IamRole,optional" api:"iam_role" default:""`
	SecretKey         *string `pulumi:"s3SecretKey,optional" api:"secret_key" provider:"secret" default:""`
	Encryption        *string `pulumi:"serverSideEncryption,optional" default:"" values:"AES256 aws:kms"`
	EncryptionKMSKey  *string `pulumi:"serverSideEncryptionKmsKeyId,optional" default:""`
	TimestampFormat   *string `pulumi:"timestampFormat,optional" default:"%Y-%m-%dT%H:%M:%S.000"`
}

// Annotate declares the official type and defaults.
func (b *LoggingS3) Annotate(a infer.Annotator) { annotate(a, b, "ServiceVclLoggingS3") }

// LoggingHTTP is an HTTPS endpoint that requests are logged to.
type LoggingHTTP struct {
	Name              string  `pulumi:"name"`
	ContentType       *string `pulumi:"contentType,optional" default:"" form:"trimmed"`
	Format            *string `pulumi:"format,optional"`
	FormatVersion     *int    `pulumi:"formatVersion,optional" default:"2" values:"1 2"`
	HeaderName        *string `pulumi:"headerName,optional" default:"" form:"trimmed"`
	HeaderValue       *string `pulumi:"headerValue,optional" default:"" form:"trimmed"`
	JSONFormat        *string `pulumi:"jsonFormat,optional" default:"0" values:"0 1 2"`
	MessageType       *string `pulumi:"messageType,optional" default:"blank" values:"classic loggly logplex blank"`
	Method            *string `pulumi:"method,optional" default:"POST" values:"POST PUT"`
	Placement         *string `pulumi:"placement,optional" default:"" values:"none waf_debug"`
	RequestMaxBytes   *int    `pulumi:"requestMaxBytes,optional"`
	RequestMaxEntries *int    `pulumi:"requestMaxEntries,optional"`
	ResponseCondition *string `pulumi:"responseCondition,optional" default:""`
	TLSCACert         *string `pulumi:"tlsCaCert,optional" default:""`
	TLSClientCert     *string `pulumi:"tlsClientCert,optional" default:""`
	TLSClientKey      *string `pulumi:"tlsClientKey,optional" provider:"secret" default:""`
	TLSHostname       *string `pulumi:"tlsHostname,optional" default:""`
	URL               string  `pulumi:"url" form:"https"`
}

// Annotate declares the official type and defaults.
func (b *LoggingHTTP) Annotate(a infer.Annotator) { annotate(a, b, "ServiceVclLoggingHttp") }
