package main

import (
	"bytes"
	"fmt"
	"html"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/image/font"
	"golang.org/x/image/font/basicfont"
	dots "golang.org/x/image/math/fixed"
)

// inks are the colors, as red, green and blue.
var inks = map[ink]color.RGBA{
	inkAxis:      {0x33, 0x33, 0x33, 0xff},
	inkValue:     {0x1f, 0x5f, 0x9f, 0xff},
	inkScore:     {0x8a, 0x8a, 0x8a, 0xff},
	inkThreshold: {0xd9, 0x82, 0x1a, 0xff},
	inkFlag:      {0xd0, 0x1f, 0x2f, 0xff},
}

// plotter makes a file of a chart.
type plotter func(c *chart, title string, threshold float64) ([]byte, error)

// plotterFor is chosen by the file's name; none for no name.
func plotterFor(name string) (plotter, error) {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".svg":
		return drawSVG, nil
	case ".png":
		return drawPNG, nil
	}
	if name == "" {
		return nil, nil
	}
	return nil, usageError("--plot %q: name a file that ends in .svg or .png", name)
}

func writePlot(name string, draw plotter, c *chart, detector string, threshold float64) error {
	flags := 0
	for _, k := range c.columns {
		if k.flagged {
			flags++
		}
	}
	picture, err := draw(c, fmt.Sprintf("%s: %d flagged", detector, flags), threshold)
	if err == nil {
		err = os.WriteFile(name, picture, 0o644)
	}
	if err != nil {
		return fmt.Errorf("draw --plot %s: %w", name, err)
	}
	return nil
}

// svg draws as text. Lines of one color that follow each other are one path.
type svg struct {
	out  bytes.Buffer
	open ink
	path bool
}

func drawSVG(c *chart, title string, threshold float64) ([]byte, error) {
	s := &svg{}
	fmt.Fprintf(&s.out, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" font-family="sans-serif" font-size="12">`+"\n", chartWidth, chartHeight)
	s.out.WriteString(`<rect width="100%" height="100%" fill="white"/>` + "\n")
	c.draw(s, title, threshold)
	s.end()
	s.out.WriteString("</svg>\n")
	return s.out.Bytes(), nil
}

func hex(i ink) string {
	k := inks[i]
	return fmt.Sprintf("#%02x%02x%02x", k.R, k.G, k.B)
}

func pixel(v float64) string { return strconv.FormatFloat(v, 'f', 1, 64) }

func (s *svg) line(x0, y0, x1, y1 float64, i ink) {
	if !s.path || s.open != i {
		s.end()
		fmt.Fprintf(&s.out, `<path fill="none" stroke="%s" d="`, hex(i))
		s.path, s.open = true, i
	}
	fmt.Fprintf(&s.out, "M%s %sL%s %s", pixel(x0), pixel(y0), pixel(x1), pixel(y1))
}

// end closes the path that is open.
func (s *svg) end() {
	if s.path {
		s.out.WriteString("\"/>\n")
	}
	s.path = false
}

func (s *svg) dot(x, y float64, i ink) {
	s.end()
	fmt.Fprintf(&s.out, `<circle cx="%s" cy="%s" r="3.5" fill="%s"/>`+"\n", pixel(x), pixel(y), hex(i))
}

func (s *svg) text(x, y float64, text string, a anchor) {
	s.end()
	name := [...]string{atStart: "start", atMiddle: "middle", atEnd: "end"}[a]
	fmt.Fprintf(&s.out, `<text x="%s" y="%s" text-anchor="%s">%s</text>`+"\n", pixel(x), pixel(y), name, html.EscapeString(text))
}

// raster draws pixels.
type raster struct{ *image.RGBA }

func drawPNG(c *chart, title string, threshold float64) ([]byte, error) {
	r := raster{image.NewRGBA(image.Rect(0, 0, chartWidth, chartHeight))}
	draw.Draw(r, r.Bounds(), image.White, image.Point{}, draw.Src)
	c.draw(r, title, threshold)
	var out bytes.Buffer
	err := png.Encode(&out, r)
	return out.Bytes(), err
}

func (r raster) line(x0, y0, x1, y1 float64, i ink) {
	steps := math.Ceil(max(math.Abs(x1-x0), math.Abs(y1-y0), 1))
	for n := 0.0; n <= steps; n++ {
		r.Set(int(math.Round(x0+(x1-x0)*n/steps)), int(math.Round(y0+(y1-y0)*n/steps)), inks[i])
	}
}

func (r raster) dot(x, y float64, i ink) {
	for dx := -3.0; dx <= 3; dx++ {
		for dy := -3.0; dy <= 3; dy++ {
			if dx*dx+dy*dy <= 12 {
				r.Set(int(math.Round(x+dx)), int(math.Round(y+dy)), inks[i])
			}
		}
	}
}

func (r raster) text(x, y float64, text string, a anchor) {
	d := font.Drawer{Dst: r, Src: image.NewUniform(inks[inkAxis]), Face: basicfont.Face7x13}
	x -= float64(d.MeasureString(text).Round()) * float64(a) / 2
	d.Dot = dots.P(int(x), int(y))
	d.DrawString(text)
}

// axisMark is a mark of an axis: four digits.
func axisMark(v float64) string { return strconv.FormatFloat(v, 'g', 4, 64) }
