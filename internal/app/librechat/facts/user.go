package facts

import "encoding/json"

// The user that a rehearsal has from the start. Its password is no secret: the
// rehearsal listens on this machine only.
const (
	UserEmail    = "rehearsal@example.com"
	UserPassword = "rehearsal"
)

// RegisterPath takes a Registration as JSON.
const RegisterPath = "/api/auth/register"

// UserPath answers 200 to a signed-in user, with the user's id, and 401 to anybody else.
const UserPath = "/api/user"

// Registration is the body that makes the rehearsal's user.
func Registration() string {
	body, err := json.Marshal(map[string]string{
		"name": "Rehearsal", "username": "rehearsal", "email": UserEmail,
		"password": UserPassword, "confirm_password": UserPassword,
	})
	if err != nil {
		panic(err) // plain values always encode
	}
	return string(body)
}
