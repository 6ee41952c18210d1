package schemas

// Strip is an entry without what stays at its tier: the windows for local readers
// and the early values. It reads and writes one entry at a time.
type Strip struct {
	dec CommitDecoder
	enc CommitEncoder
}

// Append appends the stripped entry of data to b and returns its head with it.
func (s *Strip) Append(b, data []byte) ([]byte, *Commit, error) {
	c, err := s.dec.Decode(data, WithWindows)
	if err != nil {
		return b, nil, err
	}
	return s.enc.Append(b, c), c, nil
}
