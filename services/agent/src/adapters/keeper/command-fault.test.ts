import { commandFaultOf } from './command-fault';

describe("a runtime's words about a failed start", () => {
  it.each<[string, 126 | 127 | null]>([
    [
      'runc create failed: unable to start container process: exec: "/none": stat /none: no such file or directory',
      127,
    ],
    ['exec: "none": executable file not found in $PATH: unknown', 127],
    ['unable to start container process: exec: "/etc/passwd": permission denied', 126],
    ['error mounting "/var/x" to rootfs: no such file or directory', null],
    ['', null],
  ])('%j', (text, fault) => expect(commandFaultOf(text)).toBe(fault));
});
