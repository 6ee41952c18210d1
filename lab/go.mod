module weir/lab

go 1.26.0

require (
	golang.org/x/mod v0.42.0
	weir/pkg v0.0.0
	weir/schemas v0.0.0
	weir/simulator v0.0.0
)

replace (
	weir/pkg => ../pkg
	weir/schemas => ../schemas
	weir/simulator => ../simulator
)
