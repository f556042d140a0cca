//! The kernel command line, split as the kernel splits it.

/// One `name` or `name=value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    pub name: String,
    /// `None` where there is no `=`.
    pub value: Option<String>,
}

/// All parameters, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cmdline {
    parameters: Vec<Parameter>,
}

impl Cmdline {
    /// Splits at white space outside quotation marks, which themselves are dropped, so that a value may hold spaces. The
    /// `--` after which the kernel interprets nothing is no parameter; what follows it is read all the same, because
    /// everything of ours is.
    pub fn parse(text: &str) -> Self {
        let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
        for c in text.chars() {
            match c {
                '"' => quoted = !quoted,
                c if c.is_whitespace() && !quoted => words.push(std::mem::take(&mut word)),
                c => word.push(c),
            }
        }
        words.push(word);
        let parameters =
            words.into_iter().filter(|word| !word.is_empty() && word != "--").map(|word| match word.split_once('=') {
                Some((name, value)) => Parameter { name: name.to_owned(), value: Some(value.to_owned()) },
                None => Parameter { name: word, value: None },
            });
        Self { parameters: parameters.collect() }
    }

    /// The command line this kernel was started with, by way of a mounted `/proc`.
    pub fn of_this_kernel() -> std::io::Result<Self> {
        std::fs::read("/proc/cmdline").map(|bytes| Self::parse(&String::from_utf8_lossy(&bytes)))
    }

    /// All parameters, in order.
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// The values of every `name=value`, in order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.parameters.iter().filter(move |p| p.name == name).filter_map(|p| p.value.as_deref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_split_outside_quotation_marks() {
        let line = Cmdline::parse("quiet  console=tty0 mule.drives=\"WD 1,S=2\" -- console=ttyS0,115200n8\n");
        let names: Vec<_> = line.parameters().iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["quiet", "console", "mule.drives", "console"]);
        assert_eq!(line.values("mule.drives").collect::<Vec<_>>(), ["WD 1,S=2"]);
        assert_eq!(line.values("console").collect::<Vec<_>>(), ["tty0", "ttyS0,115200n8"]);
        assert_eq!(line.values("quiet").count(), 0);
        assert_eq!(Cmdline::parse(" \n"), Cmdline::default());
    }
}
