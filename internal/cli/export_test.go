package cli

// CommandNames are the commands that --help lists, in its order.
func CommandNames() []string {
	var names []string
	for _, command := range newRoot(&Program{}, func() {}).Commands() {
		if command.IsAvailableCommand() {
			names = append(names, command.Name())
		}
	}
	return names
}
