//! The few elements of the answers of a store that are needed.

use percent_encoding::percent_decode_str;
use roxmltree::{Document, Node};

/// An answer in XML. Of what is none, or has a document type, every element is missing.
pub(super) struct Xml<'x>(Option<Document<'x>>);

impl<'x> Xml<'x> {
    pub(super) fn parse(text: &'x str) -> Self {
        Xml(Document::parse(text).ok())
    }

    /// Returns whether the outermost element has this name.
    pub(super) fn is(&self, name: &str) -> bool {
        self.0.as_ref().is_some_and(|document| is_named(document.root_element(), name))
    }

    /// Returns all elements with this name.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = Node<'_, 'x>> {
        let nodes = self.0.iter().flat_map(|document| document.descendants());
        nodes.filter(move |node| is_named(*node, name))
    }

    /// Returns the text of the first element with this name.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.all(name).next()?.text().map(str::to_owned)
    }
}

/// Returns the text of the first child of an element with this name.
pub(super) fn child_text(node: Node<'_, '_>, name: &str) -> Option<String> {
    node.children().find(|child| is_named(*child, name))?.text().map(str::to_owned)
}

/// The names of stores are in a namespace, or in none.
fn is_named(node: Node<'_, '_>, name: &str) -> bool {
    node.is_element() && node.tag_name().name() == name
}

/// Returns a key as it is, of one that the store was asked to encode as in a URL.
pub(super) fn url_decoded(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_found() {
        let text = "<R xmlns=\"x\"><Keys>no</Keys><C><Key>a%2Fb+c</Key><E>&quot;x&quot;</E></C><C><Key>b</Key></C><E/></R>";
        let xml = Xml::parse(text);
        let found: Vec<_> = xml.all("C").collect();
        assert_eq!((found.len(), xml.is("R"), xml.is("C")), (2, true, false));
        assert_eq!(
            child_text(found[0], "Key").map(|key| url_decoded(&key)).as_deref(),
            Some("a/b c")
        );
        assert_eq!(child_text(found[0], "E").as_deref(), Some("\"x\""));
        assert_eq!((child_text(found[1], "E"), xml.text("None")), (None, None));
        for text in ["", "<R><C>", "no", "<!DOCTYPE R [<!ENTITY e \"x\">]><R>&e;</R>"] {
            assert!(!Xml::parse(text).is("R"), "{text}");
        }
        assert_eq!(
            (url_decoded("%"), url_decoded("%é1"), url_decoded("%4")),
            ("%".into(), "%é1".into(), "%4".into())
        );
    }
}
