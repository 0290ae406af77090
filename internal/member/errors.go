package member

import (
	"errors"

	"github.com/twmb/franz-go/pkg/kerr"
)

// fatal reports whether an error that ended a session, or kept one from beginning,
// will not pass by itself. kgo tries again after every error.
func fatal(err error) bool {
	for _, cause := range []error{
		errUserData, // somebody else is in the group

		// Somebody has to grant access.
		kerr.GroupAuthorizationFailed,
		kerr.TopicAuthorizationFailed,
		kerr.ClusterAuthorizationFailed,
		kerr.SaslAuthenticationFailed,
		kerr.UnsupportedSaslMechanism,

		kerr.FencedInstanceID, // another process uses this instance id

		// The configuration does not suit the broker or the group.
		kerr.InvalidGroupID,
		kerr.InvalidSessionTimeout,
		kerr.InconsistentGroupProtocol,
		kerr.GroupMaxSizeReached,
		kerr.UnsupportedVersion,
	} {
		if errors.Is(err, cause) {
			return true
		}
	}
	return false
}
