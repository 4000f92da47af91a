package listing

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

// maxXMLDepth bounds the decoder's memory for elements in elements; real
// listings have 4.
const maxXMLDepth = 16

// maxXMLText bounds the text of one element; S3 keys have at most 1024 bytes,
// three times that when escaped.
const maxXMLText = 64 << 10

// parseXML chooses by the root element: S3's ListObjects or nginx's list. An
// XHTML page that calls itself XML goes to the HTML reader. open reads from the start.
func parseXML(c *collector, open func() io.Reader) error {
	dec := xml.NewDecoder(open())
	for {
		tok, err := dec.Token()
		if err != nil {
			return xmlError(err)
		}
		root, ok := tok.(xml.StartElement)
		if !ok {
			continue
		}
		switch root.Name.Local {
		case "ListBucketResult":
			return parseS3(c, dec)
		case "list":
			return parseNginxXML(c, dec)
		case "html":
			return parseHTML(c, open())
		}
		return fmt.Errorf("%w: the XML is a %.40q", ErrNotListing, root.Name.Local)
	}
}

func xmlError(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("%w: XML: %w", ErrNotListing, err)
}

// walkXML reads to the end of the root element, whose start has been read. It
// calls leaf for each element that holds text only, with the names of the
// elements that it lies in, root excluded and itself included.
func walkXML(dec *xml.Decoder, leaf func(path []string, text string) error) error {
	var (
		path   []string
		text   []byte
		isLeaf bool
	)
	for {
		tok, err := dec.Token()
		if err != nil {
			return xmlError(err)
		}
		switch t := tok.(type) {
		case xml.StartElement:
			if len(path) >= maxXMLDepth {
				return fmt.Errorf("%w: XML: elements lie too deep", ErrNotListing)
			}
			path, text, isLeaf = append(path, t.Name.Local), text[:0], true
		case xml.CharData:
			if len(text)+len(t) > maxXMLText {
				return fmt.Errorf("%w: XML: a text is too long", ErrNotListing)
			}
			text = append(text, t...)
		case xml.EndElement:
			if len(path) == 0 {
				return nil
			}
			if isLeaf {
				if err := leaf(path, string(text)); err != nil {
					return err
				}
			}
			path, text, isLeaf = path[:len(path)-1], text[:0], false
		}
	}
}

// parseNginxXML reads autoindex_format xml: <file> and <directory> elements
// whose text is the name.
func parseNginxXML(c *collector, dec *xml.Decoder) error {
	return walkXML(dec, func(path []string, text string) error {
		if len(path) != 1 {
			return nil
		}
		switch path[0] {
		case "file":
			return c.addName(text, false)
		case "directory":
			return c.addName(text, true)
		}
		return nil
	})
}
