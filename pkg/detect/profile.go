package detect

const (
	profileBuckets = 48
	profileDays    = 2   // ends of days before values are compared
	profileGain    = 0.2 // of a day in the stored profile, at least
)

// A profile is what is usual at each time of the day. A bucket is averaged while it is open and goes into the stored
// profile once, when it closes: values are compared with former days only, at any rate of samples.
type profile struct {
	known        uint64               // bit b: bucket b holds a former day
	mean         [profileBuckets]half // relative to level
	level        float64              // EWMA over a day: the means are relative to it
	sum          float64              // of the open bucket, relative to level
	count        uint32               // of values in the open bucket
	open         uint8                // bucket
	days         uint8                // that the profile has seen end, at most 255
	cycle, start int64                // configuration: length of a day, its beginning, ns; a cycle that is not positive: no profile
}

// residual is the distance of x from its time of day in former days, known once two days have ended; then x goes into the
// open bucket, and moves the level by a part w. A bucket that closes moves the stored one by limit at most, once there were three days.
func (p *profile) residual(t int64, x, w, limit float64) (r float64, known bool) {
	if p.cycle <= 0 {
		return 0, false
	}
	b := uint8(uint64(floorMod(t-p.start, p.cycle)) / (uint64(p.cycle+profileBuckets-1) / profileBuckets))
	if p.count == 0 && p.known == 0 {
		p.level, p.open = x, b
	}
	if b != p.open {
		p.close(limit)
		if b < p.open {
			p.turn()
		}
		p.open = b
	}
	if known = p.days >= profileDays && p.known>>b&1 == 1; known {
		r = x - p.level - p.mean[b].float()
	}
	p.sum += x - p.level
	p.count++
	if p.days > 0 {
		p.level += w * (x - p.level)
	}
	return r, known
}

// turn begins another day. Until the first one ends the level is the first value: what it should have been is known now.
func (p *profile) turn() {
	if p.days == 0 {
		var sum, n float64
		for b, mean := range p.mean {
			if p.known>>b&1 == 1 {
				sum += mean.float()
				n++
			}
		}
		for b := range p.mean {
			p.mean[b] = halfOf(p.mean[b].float() - sum/n)
		}
		p.level += sum / n
	}
	p.days += uint8(min(1, 255-int(p.days)))
}

// close merges the open bucket into the stored profile.
func (p *profile) close(limit float64) {
	if p.count == 0 {
		return
	}
	mean, b := p.sum/float64(p.count), p.open
	p.sum, p.count = 0, 0
	if p.known>>b&1 == 0 {
		p.known |= 1 << b
		p.mean[b] = halfOf(mean)
		return
	}
	step := mean - p.mean[b].float()
	if p.days >= 3 && limit > 0 {
		step = min(max(step, -limit), limit)
	}
	p.mean[b] = halfOf(p.mean[b].float() + max(1/(float64(p.days)+1), profileGain)*step)
}

func (p *profile) fields(c *codec) {
	c.u64(&p.known)
	for i := range p.mean {
		c.half(&p.mean[i])
	}
	c.f64s(&p.level, &p.sum)
	c.u32(&p.count)
	c.u8(&p.open)
	c.u8(&p.days)
	c.within("bucket", uint64(p.open), profileBuckets)
	c.within("buckets", p.known, 1<<profileBuckets)
}
