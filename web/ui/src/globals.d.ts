/** The version of pdf.js that the page was built with. */
declare const __PDFJS_VERSION__: string;
