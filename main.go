// lke-platform declares a whole production platform on Linode and Fastly; see stacks.Deploy.
package main

import (
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"lke-platform/components/charts"
	"lke-platform/stacks"
)

func main() {
	pulumi.Run(charts.AtHand(stacks.Deploy, stacks.Charts))
}
