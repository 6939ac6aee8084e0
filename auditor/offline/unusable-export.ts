/** Declares the error about a file that the offline audit cannot use. */

/** Thrown for a directory that lacks a file or has another period, and for options and files of another form. */
export class UnusableExport extends Error {
  override readonly name = 'UnusableExport'
}
