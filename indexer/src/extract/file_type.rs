//! The closed set of file types, and the categories that facets count.

use serde::{Deserialize, Serialize};

/// What a facet counts a file as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Category {
    /// Word processing, books, rich text, web pages.
    Document,
    /// Tables.
    Spreadsheet,
    /// Slides.
    Presentation,
    /// PDF.
    Pdf,
    /// Pictures.
    Image,
    /// Plain text and markup meant for reading.
    Text,
    /// Programs, configuration, data.
    Code,
    /// Messages and mailboxes.
    Mail,
    /// Containers of other files.
    Archive,
    /// Sound.
    Audio,
    /// Moving pictures.
    Video,
    /// A folder (never detected from bytes).
    Folder,
    /// Anything else.
    Other,
}

impl Category {
    /// The name that queries and facets use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Document => "document",
            Self::Spreadsheet => "spreadsheet",
            Self::Presentation => "presentation",
            Self::Pdf => "pdf",
            Self::Image => "image",
            Self::Text => "text",
            Self::Code => "code",
            Self::Mail => "mail",
            Self::Archive => "archive",
            Self::Audio => "audio",
            Self::Video => "video",
            Self::Folder => "folder",
            Self::Other => "other",
        }
    }
}

macro_rules! file_types {
    ($($(#[$doc:meta])* $variant:ident $name:literal $category:ident,)*) => {
        /// What a file is, by its content first and its name second. The order is part of stored records: append only.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum FileType { $($(#[$doc])* $variant,)* }

        impl FileType {
            /// Every type there is.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The category that facets count it under.
            #[must_use]
            pub const fn category(self) -> Category {
                match self { $(Self::$variant => Category::$category,)* }
            }

            /// A short stable name.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

file_types! {
    /// Plain text.
    Text "text" Text,
    /// Markdown, reStructuredText and the like.
    Markdown "markdown" Text,
    /// A log file.
    Log "log" Text,
    /// Comma- or tab-separated values.
    Csv "csv" Spreadsheet,
    /// JSON.
    Json "json" Code,
    /// XML of no known vocabulary.
    Xml "xml" Code,
    /// Source code or configuration.
    Code "code" Code,
    /// A web page.
    Html "html" Document,
    /// Word 2007 and later.
    Docx "docx" Document,
    /// Excel 2007 and later.
    Xlsx "xlsx" Spreadsheet,
    /// PowerPoint 2007 and later.
    Pptx "pptx" Presentation,
    /// OpenDocument text.
    Odt "odt" Document,
    /// OpenDocument spreadsheet.
    Ods "ods" Spreadsheet,
    /// OpenDocument presentation or drawing.
    Odp "odp" Presentation,
    /// Word 97-2003.
    Doc "doc" Document,
    /// Excel 97-2003.
    Xls "xls" Spreadsheet,
    /// PowerPoint 97-2003.
    Ppt "ppt" Presentation,
    /// An office document behind a password.
    EncryptedOffice "encrypted_office" Document,
    /// Rich Text Format.
    Rtf "rtf" Document,
    /// An electronic book.
    Epub "epub" Document,
    /// PDF.
    Pdf "pdf" Pdf,
    /// PostScript.
    PostScript "postscript" Document,
    /// An e-mail message.
    Mail "mail" Mail,
    /// Many messages in one file.
    Mailbox "mailbox" Mail,
    /// An Outlook message.
    Msg "msg" Mail,
    /// A JPEG picture.
    Jpeg "jpeg" Image,
    /// A PNG picture.
    Png "png" Image,
    /// A TIFF picture.
    Tiff "tiff" Image,
    /// A GIF picture.
    Gif "gif" Image,
    /// A WebP picture.
    Webp "webp" Image,
    /// A HEIF or AVIF picture.
    Heif "heif" Image,
    /// A vector picture.
    Svg "svg" Image,
    /// Any other picture.
    Image "image" Image,
    /// A zip archive.
    Zip "zip" Archive,
    /// A tar archive.
    Tar "tar" Archive,
    /// One file (or a tar) under gzip.
    Gzip "gzip" Archive,
    /// Any other archive.
    Archive "archive" Archive,
    /// Sound.
    Audio "audio" Audio,
    /// Moving pictures.
    Video "video" Video,
    /// A folder; never detected from bytes.
    Folder "folder" Folder,
    /// Bytes of no known kind.
    Binary "binary" Other,
    /// A 7-Zip archive.
    SevenZip "7z" Archive,
    /// One file (or a tar) under xz.
    Xz "xz" Archive,
    /// One file (or a tar) under bzip2.
    Bzip2 "bzip2" Archive,
    /// One file (or a tar) under Zstandard.
    Zstandard "zstd" Archive,
    /// Apple's Pages.
    Pages "pages" Document,
    /// Apple's Numbers.
    Numbers "numbers" Spreadsheet,
    /// Apple's Keynote.
    Keynote "keynote" Presentation,
}

impl FileType {
    /// The type with a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|known| known.as_str() == name)
    }

    /// Whether the bytes themselves are the text.
    #[must_use]
    pub const fn is_plain(self) -> bool {
        matches!(
            self,
            Self::Text | Self::Markdown | Self::Log | Self::Csv | Self::Json | Self::Code
        )
    }
}
