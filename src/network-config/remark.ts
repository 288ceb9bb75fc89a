// A remark on a valid network config.

/** What an operator should know of a valid config: a `note` on how it is read, a `warning` of a likely mistake. */
export interface ConfigRemark {
  readonly level: 'note' | 'warning'
  /** One line, complete. */
  readonly text: string
}
