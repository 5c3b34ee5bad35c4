package settings

// AWS is what Lambda's own variables say. The app may see other values; the bootstrap uses these. AWS_ENDPOINT_URL is not among them: it
// is for the app's own clients, whose storage need not be AWS's.
type AWS struct {
	Region string
	Keys   Keys
	// ContainerURI and ContainerToken are Lambda's own endpoint, where it gives no keys.
	ContainerURI   string
	ContainerToken Secret
}

// Keys are the role's credentials as Lambda gives them.
type Keys struct {
	ID            string
	Secret, Token Secret
}

func readAWS(lookup func(string) (string, bool)) AWS {
	get := func(names ...string) string {
		for _, name := range names {
			if v, _ := lookup(name); v != "" {
				return v
			}
		}
		return ""
	}
	return AWS{
		Region:         get("AWS_REGION", "AWS_DEFAULT_REGION"),
		Keys:           Keys{get("AWS_ACCESS_KEY_ID"), Secret{get("AWS_SECRET_ACCESS_KEY")}, Secret{get("AWS_SESSION_TOKEN")}},
		ContainerURI:   get("AWS_CONTAINER_CREDENTIALS_FULL_URI"),
		ContainerToken: Secret{get("AWS_CONTAINER_AUTHORIZATION_TOKEN")},
	}
}
