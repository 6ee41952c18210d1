package schemas

import _ "embed"

// PolicySchema is the JSON Schema of policy documents, for editors and other
// programs. ParsePolicy also checks what a schema cannot say. A test keeps it
// equal to the types.
//
//go:embed policy.schema.json
var PolicySchema string
