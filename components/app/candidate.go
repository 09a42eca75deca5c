package app

import (
	"k8s.io/apimachinery/pkg/util/validation/field"

	"lke-platform/components/internal/check"
)

// Candidate is a version of web that runs beside the one that visitors get, and answers at a name of its own, for as long as it
// is tried. The release command has made the way for it.
type Candidate struct {
	// Host is where it answers. Where nothing is tried, nothing does.
	Host string `json:"host"`
	// Image is the version, with a digest. Default: nothing is tried.
	Image string `json:"image"`
}

// candidateName is the process that a candidate is.
const candidateName = "candidate"

// candidate is the process of the version that is tried: web in one replica, which no autoscaler touches.
func (a *Args) candidate() NamedProcess {
	tried := NamedProcess{Name: candidateName, Image: a.Candidate.Image, Hosts: []string{a.Candidate.Host}, Process: a.Process}
	tried.Replicas, tried.Autoscale = 1, nil
	return tried
}

// released is the version that the release command has to have run for.
func (a *Args) released() string {
	if a.tries() {
		return a.Candidate.Image
	}
	return a.Image
}

// tries tells whether a version is tried.
func (a *Args) tries() bool { return a.Candidate != nil && a.Candidate.Image != "" }

// CandidateHost is where versions are tried; "" where they are not.
func (a *Args) CandidateHost() string {
	if a.Candidate == nil {
		return ""
	}
	return a.Candidate.Host
}

func (a *Args) validateCandidate(path *field.Path) field.ErrorList {
	if a.Candidate == nil {
		return nil
	}
	faults := check.Domain(path.Child("host"), a.Candidate.Host)
	faults = append(faults, validateOwnImage(path.Child("image"), a.Candidate.Image)...)
	if len(a.Volumes) > 0 {
		faults = append(faults, field.Forbidden(path, "two versions cannot hold the disk of volumes at the same time"))
	}
	return faults
}
