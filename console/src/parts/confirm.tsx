/** Asks before something that cannot be taken back. */
import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Button } from "./button.tsx";
import { Dialog, DialogActions, DialogBody } from "./dialog.tsx";
import { ErrorNote } from "./error_note.tsx";

type Props = {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  description: ReactNode;
  /** The verb on the button. */
  action: string;
  /** What it does; the dialog closes once it is done. */
  perform: () => Promise<void>;
};

export function Confirm({ open, onOpenChange, title, description, action, perform }: Props) {
  const doing = useMutation({ mutationFn: perform, onSuccess: () => onOpenChange(false) });
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={title} description={description}>
      {doing.isError && (
        <DialogBody>
          <ErrorNote error={doing.error} />
        </DialogBody>
      )}
      <DialogActions>
        <Button onClick={() => onOpenChange(false)}>Keep</Button>
        <Button weight="danger" disabled={doing.isPending} onClick={() => doing.mutate()}>
          {action}
        </Button>
      </DialogActions>
    </Dialog>
  );
}
