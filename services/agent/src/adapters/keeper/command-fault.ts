/**
 * Whether a runtime's words about a failed start speak of the task's own command. Both engines pass on what runc says;
 * text of another kind is the node's failure, not the program's.
 */
export function commandFaultOf(runtimeText: string): 126 | 127 | null {
  const lastComplaint = runtimeText.slice(runtimeText.lastIndexOf('exec: '));
  if (!lastComplaint.startsWith('exec: ')) return null;
  if (/executable file not found|no such file or directory/.test(lastComplaint)) return 127;
  return /permission denied|exec format error|is a directory/.test(lastComplaint) ? 126 : null;
}
