// A remark on a network config that is good.

/** What an operator should know of a config that is good: a `note` on how it is read, a `warning` of a likely mistake. */
export interface ConfigRemark {
  readonly level: 'note' | 'warning'
  /** One line, complete. */
  readonly text: string
}
