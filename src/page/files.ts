// The page's files as text. When the program is bundled, scripts/page-files.ts puts the files themselves in the place of this
// module, so that the page is part of the single file and nothing is read from disk.
import { OperatorError } from '../errors.ts'

/** The files a browser loads. */
export interface PageFiles {
  readonly html: string
  readonly css: string
  readonly script: string
}

/** The files. Throws OperatorError in a program that was not bundled. */
export function pageFiles(): PageFiles {
  throw new OperatorError('-healthz-page: the page exists only in the built program: run make build')
}
