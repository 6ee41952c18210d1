package schemas

// Strip is an entry without what stays at its tier: the windows for local readers,
// the early values and the policy document. It reads and writes one entry at a time.
type Strip struct {
	dec CommitDecoder
	enc CommitEncoder
}

// Append appends the stripped entry of data to b and returns its head with it.
func (s *Strip) Append(b, data []byte) ([]byte, *Commit, error) {
	c, err := s.dec.Decode(data, WithWindows|WithFindings|WithLogs)
	if err != nil {
		return b, nil, err
	}
	c.Config = nil
	return s.enc.Append(b, c), c, nil
}
