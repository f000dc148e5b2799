/** pdf.js, with its worker and its fonts from this server alone. */

import { type PDFDocumentProxy, type PDFPageProxy, getDocument, GlobalWorkerOptions, PasswordResponses, TextLayer } from 'pdfjs-dist';
import worker from 'pdfjs-dist/build/pdf.worker.min.mjs?worker&url';

export type { PDFDocumentProxy, PDFPageProxy };
export { TextLayer };

GlobalWorkerOptions.workerSrc = worker;
/** Where the build puts what pdf.js fetches when a file needs it. */
const SIDE_FILES = `/assets/pdfjs-${__PDFJS_VERSION__}/`;
/** Larger pictures in a file are left out, pixels. */
const MOST_IMAGE_PIXELS = 64 * 1024 * 1024;

/** Whether a password was said before, and was another. */
export const isWrongPassword = (reason: number): boolean => reason === PasswordResponses.INCORRECT_PASSWORD;

export function openPdf(url: string): ReturnType<typeof getDocument> {
  return getDocument({
    url,
    cMapUrl: `${SIDE_FILES}cmaps/`,
    standardFontDataUrl: `${SIDE_FILES}standard_fonts/`,
    wasmUrl: `${SIDE_FILES}wasm/`,
    useWorkerFetch: false,
    isEvalSupported: false,
    enableXfa: false,
    maxImageSize: MOST_IMAGE_PIXELS,
  });
}
