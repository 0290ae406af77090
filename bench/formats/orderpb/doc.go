// Package orderpb is a message to be measured, with the code of both libraries.
package orderpb
