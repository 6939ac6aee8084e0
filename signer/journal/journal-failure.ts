/** The journal, or the witness of its head, cannot be relied on any more: the process must end before it signs or answers anything else. */
export class JournalFailure extends Error {
  override readonly name = 'JournalFailure'
}
