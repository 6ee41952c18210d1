module weir/pkg

go 1.26.0

require (
	github.com/DataDog/sketches-go v1.4.8
	pgregory.net/rapid v1.3.0
)

require google.golang.org/protobuf v1.36.12 // indirect
