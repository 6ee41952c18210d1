package console

import _ "embed"

// The page and what it loads. It works from its own origin alone: no other
// script, font or image, and none inline (see pagePolicy).
var (
	//go:embed page/index.html
	pageHTML []byte
	//go:embed page/console.js
	pageScript []byte
	//go:embed page/console.css
	pageStyle []byte
)

// pagePolicy is the page's Content-Security-Policy.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
