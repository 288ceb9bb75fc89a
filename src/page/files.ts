// The page's files as text. This stands for them in the source; when the program is bundled, scripts/page-files.ts puts the files
// themselves in its place, so that nothing is read from disk and the page comes with the single file.
import { OperatorError } from '../errors.ts'

/** What a browser is given. */
export interface PageFiles {
  readonly html: string
  readonly css: string
  readonly script: string
}

/** The files. Throws OperatorError in a program that was not bundled. */
export function pageFiles(): PageFiles {
  throw new OperatorError('-healthz-page: the page is not in the source: run what make build makes')
}
