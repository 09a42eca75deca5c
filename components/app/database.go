package app

import (
	"strings"

	corev1 "github.com/pulumi/pulumi-kubernetes/sdk/v4/go/kubernetes/core/v1"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"
)

// Keys of Args.Database for the authority that signs the database's certificate.
const (
	authorityText = "ca"
	authorityFile = "ca-file"
)

// databaseName is the key of the Secret that names the database.
const databaseName = "dbname"

// databaseKeys are the keys of the Secret that the operator writes for a user of a database behind a pooler, and those of the
// authority.
// Upstream: https://access.crunchydata.com/documentation/postgres-operator/latest/tutorials/basic-setup/connect-cluster
var databaseKeys = []string{
	"host", "port", databaseName, "user", "password", "uri", "jdbc-uri",
	"pgbouncer-host", "pgbouncer-port", "pgbouncer-uri", "pgbouncer-jdbc-uri",
	authorityText, authorityFile,
}

const (
	// authorityKey is the authority's key in its Secret, and the name of its file in authorityFolder.
	authorityKey = "ca.crt"
	// authorityFolder is where containers find the authority.
	authorityFolder = "/etc/database"
)

// databaseOf takes an entry of Args.Database apart: the name of a further database, if it is one of such, and the key.
func databaseOf(entry string) (database, key string) {
	if database, key, further := strings.Cut(entry, "/"); further {
		return database, key
	}
	return "", entry
}

// Databases are the further databases that the application uses, by the variable that needs them.
func (a *Args) Databases() map[string]string {
	used := map[string]string{}
	for variable, entry := range a.Database {
		if database, _ := databaseOf(entry); database != "" {
			used[variable] = database
		}
	}
	return used
}

// databaseVariable is the variable that has an entry of Args.Database.
func (a *Args) databaseVariable(entry string) corev1.EnvVarArgs {
	database, key := databaseOf(entry)
	secret := a.DatabaseSecret
	if database != "" {
		secret = a.DatabaseSecrets[database]
	}
	switch key {
	case authorityFile:
		return corev1.EnvVarArgs{Value: pulumi.String(authorityFolder + "/" + authorityKey)}
	case authorityText:
		secret, key = a.DatabaseAuthority, authorityKey
	case databaseName:
		if database != "" { // the Secret names the first of those that its role owns
			return corev1.EnvVarArgs{Value: pulumi.String(database)}
		}
	}
	return corev1.EnvVarArgs{ValueFrom: corev1.EnvVarSourceArgs{
		SecretKeyRef: corev1.SecretKeySelectorArgs{Name: secret.ToStringOutput(), Key: pulumi.String(key)},
	}}
}

// mountAuthority gives a container the file of the authority, and not the key that lies beside it. It is there whether a variable
// names it or not: many a library takes the path in its own configuration.
func (a *Args) mountAuthority(pod *corev1.PodSpecArgs, container *corev1.ContainerArgs) {
	if a.DatabaseAuthority == nil || len(a.Database) == 0 {
		return
	}
	name := pulumi.String("database-authority")
	mount(pod, container, corev1.VolumeArray{corev1.VolumeArgs{Name: name, Secret: corev1.SecretVolumeSourceArgs{
		SecretName: a.DatabaseAuthority.ToStringOutput(),
		Items: corev1.KeyToPathArray{corev1.KeyToPathArgs{
			Key: pulumi.String(authorityKey), Path: pulumi.String(authorityKey),
		}},
	}}}, corev1.VolumeMountArray{corev1.VolumeMountArgs{
		Name: name, MountPath: pulumi.String(authorityFolder), ReadOnly: pulumi.Bool(true),
	}})
}
