package ingest

import (
	"log/slog"

	"weir/schemas"
)

// natsPending is how many bytes of messages may wait for us in the client.
const natsPending = 64 << 20

// onNATS takes a message that came over NATS.
func (s *Service) onNATS(msg Message) {
	r := s.router.find(msg.Subject, schemas.ParseTelemetry)
	in := arrival{route: r, payload: msg.Data}
	strained := r.agent.strain() != relaxed
	if msg.Reply == nil {
		s.messages.natsPublish.Add(1)
		s.take(&in, strained)
		return
	}
	s.messages.natsRequest.Add(1)
	in.to, in.text = &requester{msg.Reply, s.logger}, true
	if strained || !s.take(&in, false) {
		in.to.answer(&answer{
			why:  schemas.JournalFull,
			text: encode(refusedReply{schemas.JournalFull, "the journal takes no more at present: send again later"}),
		})
	}
}

// requester answers one NATS request.
type requester struct {
	reply  func(data []byte, header ...string) error
	logger *slog.Logger
}

func (q *requester) answer(a *answer) {
	var header []string
	if a.why != "" {
		header = []string{ErrorHeader, string(a.why)}
	}
	if err := q.reply(a.text, header...); err != nil {
		q.logger.Debug("request stays unanswered", "error", err)
	}
}
