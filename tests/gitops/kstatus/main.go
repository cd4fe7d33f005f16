// What kstatus makes of resources: one as JSON on each line of stdin, its verdict on that line of stdout.
package main

import (
	"bufio"
	"fmt"
	"log"
	"os"

	"sigs.k8s.io/cli-utils/pkg/kstatus/status"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var resource unstructured.Unstructured
		if err := resource.UnmarshalJSON(lines.Bytes()); err != nil {
			log.Fatal(err)
		}
		result, err := status.Compute(&resource)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(result.Status)
	}
	if err := lines.Err(); err != nil {
		log.Fatal(err)
	}
}
